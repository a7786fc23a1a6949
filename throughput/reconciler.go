// Package throughput brings provisioned throughput into service: what is Creating or
// Updating gets its model loaded and becomes InService, or Failed with a message; what is
// deleted lets its model go. It knows neither how models are run nor who creates
// throughput.
//
//	Creating ──► load the desired model ──► InService        Updating ──► the same
//	                     └── cannot be loaded ──► Failed
//
// After a restart the models of throughput that is InService are loaded again, one after
// the other, behind the ones that somebody waits for; a request that comes sooner loads its
// model itself.
package throughput

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
)

// Engine is what of outcrop.Engine loads models.
type Engine interface {
	Load(ctx context.Context, m outcrop.ModelFiles) error
	Unload(id outcrop.ModelID)
}

// Locate finds a model by its ARN. CodeNotFound if there is none.
type Locate func(ctx context.Context, model outcrop.ARN) (outcrop.ModelFiles, error)

// The pace of a reconciler.
const (
	pollEvery  = 15 * time.Second // for what Notify was not called for
	loadsMax   = 2                // models at once: loading is bound by the disk and by memory
	triesMax   = 3                // loads that fail for no reason of the model's own
	retryAfter = 2 * time.Second
	roomTries  = 40 // one each pollEvery: so long a throughput waits for other models to leave memory
	changesMax = 20 // tries to write against other writers

	preloadPoll = 200 * time.Millisecond // how often a load in advance looks whether it may begin
)

// Reconciler works on provisioned throughput.
type Reconciler struct {
	store  outcrop.Store
	engine Engine
	locate Locate
	log    *slog.Logger
	wake   chan struct{}
	loads  chan struct{} // holds a token for each model that is being loaded for somebody
	warm   chan struct{} // holds a token while a model is loaded in advance

	mu      sync.Mutex
	held    map[outcrop.ARN]holding
	working map[outcrop.ARN]bool // a goroutine works on it
	running sync.WaitGroup

	settling atomic.Int32 // how many throughputs somebody waits for
}

// New returns a reconciler. log may be nil.
func New(store outcrop.Store, engine Engine, locate Locate, log *slog.Logger) *Reconciler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Reconciler{
		store: store, engine: engine, locate: locate, log: log, wake: make(chan struct{}, 1),
		loads: make(chan struct{}, loadsMax), warm: make(chan struct{}, 1),
		held: map[outcrop.ARN]holding{}, working: map[outcrop.ARN]bool{},
	}
}

// Notify says that throughput was created, updated or deleted. It never waits.
func (r *Reconciler) Notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends.
func (r *Reconciler) Run(ctx context.Context) error {
	defer r.running.Wait()
	for ctx.Err() == nil {
		if err := r.pass(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("list throughput", "error", err)
		}
		pause.For(ctx, pollEvery, r.wake)
	}
	return nil
}

// pass looks at every throughput once.
func (r *Reconciler) pass(ctx context.Context) error {
	all, err := r.list(ctx)
	if err != nil {
		return err
	}
	r.releaseMissing(all)
	for _, t := range all { // first what somebody waits for
		if t.Status == outcrop.ThroughputCreating || t.Status == outcrop.ThroughputUpdating {
			r.settling.Add(1)
			if !r.work(t.ARN, func() { defer r.settling.Add(-1); r.settle(ctx, t) }) {
				r.settling.Add(-1)
			}
		}
	}
	for _, t := range all {
		if _, tried := r.holds(t.ARN); t.Status == outcrop.ThroughputInService && !tried {
			r.work(t.ARN, func() { r.preload(ctx, t) })
		}
	}
	return nil
}

func (r *Reconciler) list(ctx context.Context) (all []*outcrop.Throughput, err error) {
	for rec, err := range outcrop.All(ctx, r.store.List, outcrop.Query{Kind: outcrop.KindThroughput, AllScopes: true, Ascending: true}) {
		if err != nil {
			return nil, err
		}
		t, err := outcrop.ThroughputOf(rec)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// work runs f in a goroutine and returns true, unless one works on the throughput already.
func (r *Reconciler) work(arn outcrop.ARN, f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.working[arn] {
		return false
	}
	r.working[arn] = true
	r.running.Go(func() {
		f()
		r.mu.Lock()
		delete(r.working, arn)
		r.mu.Unlock()
		r.Notify() // it may have changed meanwhile
	})
	return true
}

// settle brings a throughput into service, or finds out that it cannot be.
func (r *Reconciler) settle(ctx context.Context, t *outcrop.Throughput) {
	wanted := desired(t)
	id, failure := r.loadWhenRoom(ctx, t.ARN, wanted)
	if ctx.Err() != nil {
		return
	}
	goesOn := r.goesOn(t.ARN, failure)
	err := r.change(ctx, t.ARN, func(t *outcrop.Throughput) bool {
		if !settles(t, wanted) {
			return false
		}
		decide(t, failure, goesOn)
		return true
	})
	if failure == nil { // the model that it had before goes only now that no request finds it
		r.hold(t.ARN, holding{id: id})
	}
	switch {
	case err == nil && failure != nil && !goesOn:
		r.release(t.ARN) // it serves no model any more, also not the one before an update
	case outcrop.CodeOf(err) == outcrop.CodeNotFound:
		r.release(t.ARN) // deleted while its model was loaded
	case err != nil && ctx.Err() == nil:
		r.log.Error("settle throughput", "throughput", t.ARN, "error", err)
		pause.For(ctx, retryAfter, nil)
	}
}

// settles reports whether t is still to be brought into service with the model wanted.
func settles(t *outcrop.Throughput, wanted outcrop.ARN) bool {
	return (t.Status == outcrop.ThroughputCreating || t.Status == outcrop.ThroughputUpdating) && desired(t) == wanted
}

// decide sets what becomes of t when its model has been loaded, or could not be.
func decide(t *outcrop.Throughput, failure error, goesOn bool) {
	wanted := desired(t)
	switch {
	case failure == nil:
		t.Status, t.FailureMessage = outcrop.ThroughputInService, ""
		t.ModelARN, t.DesiredModelARN, t.Parent = wanted, wanted, string(wanted)
	case goesOn:
		t.Status, t.DesiredModelARN = outcrop.ThroughputInService, t.ModelARN
		t.FailureMessage = fmt.Sprintf("It goes on with its model, for there is no room beside that for %s. %s", wanted, message(failure))
	default:
		t.Status, t.FailureMessage = outcrop.ThroughputFailed, message(failure)
	}
}

// goesOn reports whether a throughput goes on with the model that it serves, since there is no room
// for another beside it.
func (r *Reconciler) goesOn(arn outcrop.ARN, failure error) bool {
	h, ok := r.holds(arn)
	return outcrop.CodeOf(failure) == outcrop.CodeModelNotReady && ok && !h.unloadable
}

// loadWhenRoom is load, some at a time, and again and again while there is no room. Meanwhile the
// throughput says what it waits for. It gives up early when something else is wanted.
func (r *Reconciler) loadWhenRoom(ctx context.Context, arn, wanted outcrop.ARN) (id outcrop.ModelID, err error) {
	for try := 1; ; try++ {
		if id, err = r.loadInTurn(ctx, arn, wanted); outcrop.CodeOf(err) != outcrop.CodeModelNotReady || try == roomTries {
			return id, err
		}
		r.log.Warn("no room for the model of a throughput yet", "throughput", arn, "model", wanted, "try", try, "error", err)
		waits := false
		changed := r.change(ctx, arn, func(t *outcrop.Throughput) bool {
			waits = settles(t, wanted)
			told := t.FailureMessage
			t.FailureMessage = message(err)
			return waits && told != t.FailureMessage
		})
		if changed != nil || !waits {
			return "", err
		}
		r.settling.Add(-1) // others need not wait for it
		pause.For(ctx, pollEvery, nil)
		r.settling.Add(1)
	}
}

// loadInTurn is load, of which loadsMax run at a time.
func (r *Reconciler) loadInTurn(ctx context.Context, arn, model outcrop.ARN) (id outcrop.ModelID, err error) {
	select {
	case r.loads <- struct{}{}:
		defer func() { <-r.loads }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return r.load(ctx, arn, model)
}

// desired is the model that a throughput is to serve.
func desired(t *outcrop.Throughput) outcrop.ARN {
	if t.DesiredModelARN != "" {
		return t.DesiredModelARN
	}
	return t.ModelARN
}

// preload loads the model of a throughput that was InService before the server started. Where there
// is no room for it now, it is tried again later, for only what is held stays in memory. Else it is
// not: a request will, and will be told what is wrong.
func (r *Reconciler) preload(ctx context.Context, t *outcrop.Throughput) {
	id, err := r.loadInAdvance(ctx, t)
	switch {
	case ctx.Err() != nil:
		return
	case outcrop.CodeOf(err) == outcrop.CodeModelNotReady:
		r.log.Warn("no room for the model of a throughput yet", "throughput", t.ARN, "model", t.ModelARN, "error", err)
		pause.For(ctx, pollEvery, nil)
		return
	case err != nil:
		r.log.Warn("load model in advance", "throughput", t.ARN, "model", t.ModelARN, "error", err)
	}
	r.hold(t.ARN, holding{id, err != nil})
}

// loadInAdvance loads a model when nobody waits for another, one at a time.
func (r *Reconciler) loadInAdvance(ctx context.Context, t *outcrop.Throughput) (id outcrop.ModelID, err error) {
	select {
	case r.warm <- struct{}{}:
		defer func() { <-r.warm }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	for r.settling.Load() > 0 && ctx.Err() == nil { // somebody waits for those
		pause.For(ctx, preloadPoll, nil)
	}
	return r.load(ctx, t.ARN, t.ModelARN)
}

// load loads a model for a throughput and returns its id. What is the model's own
// fault fails at once, and so does what there is no room for; anything else after some tries.
func (r *Reconciler) load(ctx context.Context, arn, model outcrop.ARN) (id outcrop.ModelID, err error) {
	for try := 1; ; try++ {
		var files outcrop.ModelFiles
		if files, err = r.locate(ctx, model); err == nil {
			id, err = files.ID, r.engine.Load(ctx, files)
		}
		if err == nil || ctx.Err() != nil || final(err) || try == triesMax {
			return id, err
		}
		r.log.Warn("load model", "throughput", arn, "model", model, "try", try, "error", err)
		pause.For(ctx, retryAfter, nil)
	}
}

// final reports whether a load would fail in the same way again, at least soon.
func final(err error) bool {
	switch outcrop.CodeOf(err) {
	case outcrop.CodeNotFound, outcrop.CodeValidation, outcrop.CodeModelError, outcrop.CodeModelNotReady:
		return true
	}
	return false
}

// message is what a user reads of a model that could not be loaded.
func message(err error) string {
	var e *outcrop.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return fmt.Sprintf("The model could not be loaded: %v. The server's log says more; delete the throughput and create it again when the cause is mended.", err)
}

// change applies f to the newest version of a throughput; if f returns false, nothing is
// written.
func (r *Reconciler) change(ctx context.Context, arn outcrop.ARN, f func(*outcrop.Throughput) bool) error {
	var err error
	for range changesMax {
		var rec outcrop.Record
		if rec, err = r.store.Get(ctx, outcrop.Key{ARN: arn}); err != nil {
			return err
		}
		t, err2 := outcrop.ThroughputOf(rec)
		if err2 != nil {
			return err2
		}
		if !f(t) {
			return nil
		}
		if err = r.store.Apply(ctx, outcrop.Change{Op: outcrop.OpUpdate, Record: t.Record()}); !errors.Is(err, outcrop.ErrStale) {
			return err
		}
	}
	return err
}
