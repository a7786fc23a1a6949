package work

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
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/internal/rows"
	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

// Rules are what makes one kind of work unlike another, where it is done by attempts: processes
// that a launcher starts, one after the other, until one has a result.
type Rules[N Noun] interface {
	// Noun is the kind of the records, Of reads one.
	Noun() outcrop.Kind
	Of(outcrop.Record) (N, error)

	// Spec is what an attempt has to do. The supervisor fills in what it knows itself: which record
	// and attempt it is, where the scratch directory lies, the pace. Grant is what it may touch.
	Spec(ctx context.Context, n N) (attempt.Spec, error)
	Grant(n N) attempt.Grant
	// Base is the digest of what the work goes on from, as it is now (attempt.Reply.Base). It does not
	// wait; "" while it is not known.
	Base(ctx context.Context, n N) string
	// Mark writes into n that the work has come to phase, which is "" when an attempt begins, or
	// that it is being stopped or has ended, if n's status says so.
	Mark(n N, phase string, at time.Time)

	// Publish brings what an attempt has made from the scratch directory to where it is used. It
	// is called again after a crash, and does what is left. ErrDamaged says that what was made is not
	// whole: the next attempt makes it anew. After any other error the work waits, and is brought later.
	Publish(n N, scratch string, res attempt.Result) error
	// Complete writes into n what a result says, and returns what is to be recorded with it, in
	// one transaction. A conflict there ends the work: Explain is given it as ErrTaken.
	Complete(n N, res attempt.Result) []outcrop.Change
	// Withdraw removes what Publish may have brought of work that has made nothing after all.
	Withdraw(n N) error

	// Explain says, to the one whose work it was, why it has failed and what to do.
	Explain(n N, e Ending) string
	// Bill says what is paid for work that was completed or stopped; ok is false for nothing.
	Bill(n N) (u outcrop.Usage, ok bool)
}

// ProcessOptions are what attempts need. ScratchRoot and Now must be set.
type ProcessOptions struct {
	ScratchRoot string        // absolute; the scratch directory of a record is ScratchRoot/{id}
	Slots       int           // attempts at once; 0 is 1, because one uses every core
	Threads     int           // of an attempt
	Heartbeat   time.Duration // how often workers report; 0 is a second
	IdleMax     time.Duration // how long one may report that nothing was done; 0 is ten minutes
	Now         func() time.Time
	Log         *slog.Logger // nil discards
}

// The pace of attempts.
const (
	heartbeat     = time.Second     // ProcessOptions.Heartbeat's default; each is one indexed read
	progressEvery = 2 * time.Second // how often progress is written: each write is an fsync
	hangTimeout   = 3 * time.Minute // without a heartbeat, the process is taken for hung
	stopGrace     = 30 * time.Second
	backoffMin    = 500 * time.Millisecond
	backoffMax    = 30 * time.Second
	publishEvery  = time.Minute      // finished work that has no place is brought again
	orphansEvery  = 30 * time.Second // a process that no record names is ended when it is seen twice
)

// How often work is tried again without getting any further.
const (
	failuresMax = 5   // attempts that failed by themselves: the next one will, too
	lossesMax   = 100 // attempts that were killed: no fault of the work's, but not for ever
)

// live are the statuses of a noun that processes work on; billed those in which it is paid for.
var (
	liveStatuses   = []outcrop.Status{outcrop.JobInProgress, outcrop.JobStopping}
	billedStatuses = []outcrop.Status{outcrop.JobCompleted, outcrop.JobStopped}
)

// Attempts is what the kinds share whose work is done by processes: the launcher, the places, the
// scratch directories. It is also the attempt.Jobs that answers their workers.
type Attempts struct {
	store    outcrop.Store
	launcher launch.Launcher
	signer   attempt.Signer
	meter    outcrop.Meter
	o        ProcessOptions

	mu      sync.Mutex
	kinds   map[outcrop.Kind]processes
	watched map[outcrop.ARN]listener
	slots   int // taken
	runs    bool
}

// processes is a kind among others.
type processes interface {
	spec(ctx context.Context, rec outcrop.Record) (attempt.Spec, error)
	grant(rec outcrop.Record) (attempt.Grant, error)
	base(ctx context.Context, rec outcrop.Record) string
	bill(ctx context.Context, rec outcrop.Record) error
	read(rec outcrop.Record) (Noun, error)
}

// listener takes in what the worker of a record says.
type listener interface {
	beat(attempt.Heartbeat) (stacks bool) // whether the worker is to print its stacks
	look()
}

var _ attempt.Jobs = (*Attempts)(nil)

// NewAttempts panics if the options lack what it needs.
func NewAttempts(store outcrop.Store, launcher launch.Launcher, signer attempt.Signer, meter outcrop.Meter, o ProcessOptions) *Attempts {
	if !filepath.IsAbs(o.ScratchRoot) || o.Now == nil {
		panic("work: a scratch directory and a clock are needed")
	}
	o.Slots = max(o.Slots, 1)
	o.Threads = max(o.Threads, 1)
	o.Heartbeat = cmp.Or(o.Heartbeat, heartbeat)
	o.IdleMax = cmp.Or(o.IdleMax, idleMax)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Attempts{
		store: store, launcher: launcher, signer: signer, meter: meter, o: o,
		kinds: map[outcrop.Kind]processes{}, watched: map[outcrop.ARN]listener{},
	}
}

// Processes returns the kind of work that rules describe.
func Processes[N Noun](a *Attempts, rules Rules[N]) Kind {
	k := &kind[N]{Attempts: a, rules: rules}
	a.kinds[rules.Noun()] = k
	return k
}

// Running returns how many attempts have a place at the moment.
func (a *Attempts) Running() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.slots
}

// Run implements Runner, for the first of the kinds that share a: it clears what earlier servers
// left behind, and ends orphans. An error is a directory that cannot be read.
func (a *Attempts) Run(ctx context.Context) error {
	a.mu.Lock()
	others := a.runs
	a.runs = true
	a.mu.Unlock()
	if others {
		return nil
	}
	if err := a.sweep(ctx); err != nil {
		return fmt.Errorf("work: %w", err)
	}
	var seen map[string]bool
	pause.Loop(ctx, nil, func(ctx context.Context) time.Duration {
		seen = a.endOrphans(ctx, seen)
		return orphansEvery
	})
	return nil
}

// Notify implements Runner: there is nothing to hurry.
func (a *Attempts) Notify() {}

// endOrphans kills the processes that were orphans the last time, too: between its start and the
// writing of its handle a process looks like one. It returns those that it has seen.
func (a *Attempts) endOrphans(ctx context.Context, seen map[string]bool) map[string]bool {
	orphans, err := a.orphans(ctx)
	if err != nil {
		if ctx.Err() == nil {
			a.o.Log.Warn("look for orphans", "error", err)
		}
		return seen
	}
	for handle := range orphans {
		if !seen[handle] {
			continue
		}
		a.o.Log.Warn("end a process that no record names", "handle", handle)
		if err := a.launcher.Kill(ctx, handle); err != nil {
			a.o.Log.Warn("end orphan", "handle", handle, "error", err)
		}
	}
	return orphans
}

// orphans returns the processes that no record names. First they are listed, then the records: one
// that has been started meanwhile is not among them.
func (a *Attempts) orphans(ctx context.Context) (map[string]bool, error) {
	handles, err := a.launcher.List(ctx)
	if err != nil || len(handles) == 0 {
		return nil, err
	}
	orphans := map[string]bool{}
	for _, h := range handles {
		orphans[h] = true
	}
	for n, err := range a.all(ctx, liveStatuses) {
		if err != nil {
			return nil, err
		}
		delete(orphans, n.Worked().Attempt.Handle)
	}
	return orphans, nil
}

// all returns every noun of the kinds in one of the statuses.
func (a *Attempts) all(ctx context.Context, statuses []outcrop.Status) iter.Seq2[Noun, error] {
	return func(yield func(Noun, error) bool) {
		for name, k := range a.kinds {
			for rec, err := range live(ctx, a.store, name, statuses) {
				var n Noun
				if err == nil {
					n, err = k.read(rec)
				}
				if !yield(n, err) {
					return
				}
			}
		}
	}
}

// live returns every record of a kind in one of the statuses, oldest first.
func live(ctx context.Context, store outcrop.Store, kind outcrop.Kind, statuses []outcrop.Status) iter.Seq2[outcrop.Record, error] {
	return rows.All(ctx, store.List, outcrop.Query{Kind: kind, AllScopes: true, Statuses: statuses, Ascending: true})
}

func (a *Attempts) listener(arn outcrop.ARN) listener {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.watched[arn]
}

// kind is a Kind whose work is done by processes.
type kind[N Noun] struct {
	*Attempts
	rules Rules[N]
}

func (k *kind[N]) Noun() outcrop.Kind { return k.rules.Noun() }

func (k *kind[N]) Live() []outcrop.Status { return liveStatuses }

// Claims implements Kind: what is to be stopped needs no place.
func (k *kind[N]) Claims() []outcrop.Status {
	if k.Running() >= k.o.Slots {
		return []outcrop.Status{outcrop.JobStopping}
	}
	return liveStatuses
}

func (k *kind[N]) Take(h *Hold, rec outcrop.Record) Task {
	w := &watch[N]{kind: k, hold: h, slot: rec.Status == outcrop.JobInProgress, heard: k.o.Now()}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watched[h.ARN] = w
	if w.slot {
		k.slots++
	}
	return w
}

func (k *kind[N]) read(rec outcrop.Record) (Noun, error) { return k.rules.Of(rec) }

func (k *kind[N]) spec(ctx context.Context, rec outcrop.Record) (attempt.Spec, error) {
	n, err := k.rules.Of(rec)
	if err != nil {
		return attempt.Spec{}, err
	}
	spec, err := k.rules.Spec(ctx, n)
	spec.JobARN, spec.JobID, spec.Attempt = rec.ARN, rec.ID, n.Worked().Attempt.Number
	spec.ScratchDir, spec.Heartbeat, spec.Threads = k.scratch(rec.ID), k.o.Heartbeat, k.o.Threads
	spec.Grant = k.rules.Grant(n)
	return spec, err
}

func (k *kind[N]) grant(rec outcrop.Record) (attempt.Grant, error) {
	n, err := k.rules.Of(rec)
	if err != nil {
		return attempt.Grant{}, err
	}
	return k.rules.Grant(n), nil
}

func (k *kind[N]) base(ctx context.Context, rec outcrop.Record) string {
	n, err := k.rules.Of(rec)
	if err != nil {
		return "" // Spec says so
	}
	return k.rules.Base(ctx, n)
}

// bill meters what is paid for a record. It may be called again.
func (k *kind[N]) bill(ctx context.Context, rec outcrop.Record) error {
	n, err := k.rules.Of(rec)
	if err != nil {
		return err
	}
	if u, ok := k.rules.Bill(n); ok {
		k.meter.Record(ctx, u)
	}
	return nil
}

// ErrDamaged is what Rules.Publish wraps for work that is not as its worker has sealed it.
var ErrDamaged = errors.New("it is not as the worker has sealed it")

// errNoKind is our own bug, or a worker of another program.
var errNoKind = errors.New("work: a record of a kind that nobody works on")
