// Package job sees to it that every model customization job ends. A job's record is the
// queue entry: the reconciler claims it by lease and fencing token, starts an attempt
// through a launcher, follows its heartbeats, starts the next attempt from the last
// checkpoint when one dies, and publishes the model when one is done. It knows neither how
// a job trains nor how a process is started.
//
//	claim ──► start attempt n+1 ──► watch ──► done:   verify, move the model, commit job + model
//	              ▲                   │
//	              └── back off ◄── died          stopped, failed: commit the job
//
// Nothing that is decided is in memory only. A server that dies at any point finds in the
// record and in the scratch directory where it was: no handle means that an attempt has to
// be started, a handle means one to look for, result.json how the last one ended, and a
// model directory that has been moved is recognised by its manifest.
//
// Two numbers keep the past away. The lease's fence guards every write of a reconciler
// against another server's; the attempt's number, which its token carries, guards every
// call of a worker against a later worker's.
package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/attempt"
	"outcrop.dev/outcrop/internal/pause"
)

// Options are a reconciler's. Owner, the directories and Now must be set.
type Options struct {
	// Owner names this server in leases. It must be the same after a restart, by which the
	// server takes its own leases up again at once, and no other server's.
	Owner       string
	ModelDir    func(id string) string // absolute; where a custom model is published
	ScratchRoot string                 // absolute, on the same file system; a job's is ScratchRoot/{job id}
	Slots       int                    // attempts at once; 0 is 1, because one uses every core
	Threads     int                    // of an attempt
	Heartbeat   time.Duration          // how often workers report; 0 is a second
	Now         func() time.Time
	Log         *slog.Logger // nil discards
}

// BaseModel finds the base model of a job. CodeNotFound if there is none any more.
type BaseModel func(ctx context.Context, j *outcrop.Job) (outcrop.ModelFiles, error)

// The pace of a reconciler.
const (
	heartbeat     = time.Second      // Options.Heartbeat's default; each is one indexed read
	leaseTTL      = 30 * time.Second // how long another server waits before it takes over
	leaseRenewal  = leaseTTL / 2
	progressEvery = 2 * time.Second // how often progress is written: each write is an fsync
	pollEvery     = 5 * time.Second // for what Notify was not called for
	retryEvery    = time.Second     // after an error of the store
	hangTimeout   = 3 * time.Minute // without a heartbeat, the process is taken for hung
	stopGrace     = 30 * time.Second
	backoffMin    = 500 * time.Millisecond
	backoffMax    = 30 * time.Second
)

// How often a job is tried again without getting any further.
const (
	failuresMax = 5   // attempts that failed by themselves: the next one will, too
	lossesMax   = 100 // attempts that were killed: no fault of the job's, but not for ever
)

// running are the statuses of a job that somebody has to work on.
var running = []outcrop.Status{outcrop.JobInProgress, outcrop.JobStopping}

// Reconciler works on jobs. It is also the attempt.Jobs that answers their workers.
type Reconciler struct {
	store    outcrop.Store
	launcher outcrop.Launcher
	base     BaseModel
	signer   attempt.Signer
	meter    outcrop.Meter
	o        Options
	wake     chan struct{}

	mu      sync.Mutex
	watches map[outcrop.ARN]*watch
	slots   int // taken
	running sync.WaitGroup
}

var _ attempt.Jobs = (*Reconciler)(nil)

// New returns a reconciler. If the launcher has a method Exit(ctx, handle) (code, detail,
// ok), as launch/local has, failures are told apart better. New panics if Options lacks
// what it needs.
func New(store outcrop.Store, launcher outcrop.Launcher, base BaseModel, signer attempt.Signer, meter outcrop.Meter, o Options) *Reconciler {
	if o.Owner == "" || o.ModelDir == nil || !filepath.IsAbs(o.ScratchRoot) || o.Now == nil {
		panic("job: an owner, the directories and a clock are needed")
	}
	o.Slots = max(o.Slots, 1)
	o.Threads = max(o.Threads, 1)
	o.Heartbeat = cmp.Or(o.Heartbeat, heartbeat)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Reconciler{
		store: store, launcher: launcher, base: base, signer: signer, meter: meter, o: o,
		wake: make(chan struct{}, 1), watches: map[outcrop.ARN]*watch{},
	}
}

// Notify says that a job was created or is to be stopped. It never waits.
func (r *Reconciler) Notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Running returns how many jobs this server works on at the moment.
func (r *Reconciler) Running() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slots
}

// Run works until ctx ends; workers then go on by themselves, and the next Run finds them
// again. It returns an error only if it cannot begin: a directory that cannot be read.
func (r *Reconciler) Run(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return fmt.Errorf("job: %w", err)
	}
	defer r.running.Wait()
	for ctx.Err() == nil {
		r.wakeWatches()
		if err := r.claimAll(ctx); err != nil && ctx.Err() == nil {
			r.o.Log.Error("claim jobs", "error", err)
		}
		pause.For(ctx, pollEvery, r.wake)
	}
	return nil
}

// begin clears what earlier servers left behind and takes this server's leases up again.
func (r *Reconciler) begin(ctx context.Context) error {
	names, err := r.scratchDirs()
	if err != nil {
		return err
	}
	left := map[string]bool{}
	for _, name := range names {
		left[name] = true
	}
	for rec, err := range r.jobs(ctx, running) {
		if err != nil {
			return err
		}
		delete(left, rec.ID)
		if rec.Lease.Owner == r.o.Owner {
			r.watch(ctx, rec, rec.Status == outcrop.JobInProgress)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return r.sweep(ctx, left)
}

// jobs returns every job in one of the statuses, oldest first.
func (r *Reconciler) jobs(ctx context.Context, statuses []outcrop.Status) iter.Seq2[outcrop.Record, error] {
	return outcrop.All(ctx, r.store.List, outcrop.Query{Kind: outcrop.KindJob, AllScopes: true, Statuses: statuses, Ascending: true})
}

// claimAll claims as many jobs as there are free slots, oldest first. A job that is to be
// stopped needs none.
func (r *Reconciler) claimAll(ctx context.Context) error {
	for {
		statuses := running
		if r.Running() >= r.o.Slots {
			statuses = []outcrop.Status{outcrop.JobStopping}
		}
		rec, ok, err := r.store.Claim(ctx, outcrop.KindJob, statuses, r.o.Owner, leaseTTL)
		if err != nil || !ok {
			return err
		}
		r.watch(ctx, rec, rec.Status == outcrop.JobInProgress)
	}
}

// watch follows a job whose lease this server holds, in a goroutine of its own.
func (r *Reconciler) watch(ctx context.Context, rec outcrop.Record, slot bool) {
	w := &watch{r: r, arn: rec.ARN, fence: rec.Lease.Fence, wake: make(chan struct{}, 1), heard: r.o.Now()}
	r.mu.Lock()
	r.watches[rec.ARN] = w
	if slot {
		r.slots++
	}
	r.mu.Unlock()
	r.running.Go(func() {
		w.run(ctx)
		r.mu.Lock()
		if r.watches[rec.ARN] == w {
			delete(r.watches, rec.ARN)
		}
		if slot {
			r.slots--
		}
		r.mu.Unlock()
		r.Notify() // a slot is free
	})
}

func (r *Reconciler) watched(arn outcrop.ARN) *watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.watches[arn]
}

// wakeWatches lets every watch read its record again.
func (r *Reconciler) wakeWatches() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watches {
		w.notify()
	}
}

// errLost ends a watch whose lease another server has.
var errLost = errors.New("the lease is another server's")
