package job

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/attempt"
	"outcrop.dev/outcrop/internal/pause"
)

// watch follows one job from the moment that its lease is ours until it has ended or the
// lease is lost.
type watch struct {
	r     *Reconciler
	arn   outcrop.ARN
	fence int64
	wake  chan struct{}

	// Only the goroutine of run uses these.
	notBefore time.Time          // when the next attempt may start
	stopping  time.Time          // when the stop was first seen
	written   time.Time          // when progress was last written
	flushed   *attempt.Heartbeat // what was written then
	renewed   time.Time
	hung      bool // we killed the attempt, because it was silent

	mu     sync.Mutex
	heard  time.Time // the last heartbeat, or the beginning
	newest *attempt.Heartbeat
	urgent bool // newest says something that should not wait
}

// notify makes the watch look at once.
func (w *watch) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := w.step(ctx)
		switch {
		case errors.Is(err, errEnded):
			return
		case errors.Is(err, errLost):
			w.r.o.Log.Warn("job taken over by another server", "job", w.arn)
			return
		case err != nil && ctx.Err() == nil:
			w.r.o.Log.Error("work on job", "job", w.arn, "error", err)
			wait = retryEvery
		}
		pause.For(ctx, wait, w.wake)
	}
}

// errEnded ends a watch whose job has ended.
var errEnded = errors.New("the job has ended")

// step looks at the job and does the next thing; it returns after how long to look again.
func (w *watch) step(ctx context.Context) (time.Duration, error) {
	j, err := w.read(ctx)
	if err != nil {
		return 0, err
	}
	if err := w.renew(ctx); err != nil {
		return 0, err
	}
	if j.Attempt.Number > 0 {
		res, ok, err := attempt.ReadResult(w.scratch(j), j.Attempt.Number)
		if err != nil {
			return 0, err
		}
		if ok {
			return w.r.o.Heartbeat, w.conclude(ctx, j, res)
		}
	}
	if j.Attempt.Handle == "" {
		return w.begin(ctx, j)
	}
	alive, err := w.r.launcher.Alive(ctx, j.Attempt.Handle)
	if err != nil {
		return 0, err
	}
	if alive {
		return w.r.o.Heartbeat, w.follow(ctx, j)
	}
	if _, ok, err := attempt.ReadResult(w.scratch(j), j.Attempt.Number); ok || err != nil {
		return 0, err // it was written while we looked
	}
	return 0, w.died(ctx, j)
}

// read returns the job as it is now, if it is still ours.
func (w *watch) read(ctx context.Context) (*outcrop.Job, error) {
	rec, err := w.r.store.Get(ctx, outcrop.Key{ARN: w.arn})
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return nil, errEnded
	}
	if err != nil {
		return nil, err
	}
	if rec.Lease.Fence != w.fence {
		return nil, errLost
	}
	j, err := outcrop.JobOf(rec)
	if err != nil {
		return nil, err
	}
	if j.Terminal() {
		return nil, errEnded
	}
	return j, nil
}

// changesMax bounds how often a change is tried against other writers; there is one, the
// API, and it writes once when a job is stopped.
const changesMax = 20

// change applies f to the newest version of the job, with what else f returns, in one
// transaction. If f returns no change, nothing is written.
func (w *watch) change(ctx context.Context, f func(j *outcrop.Job) (ok bool, more []outcrop.Change)) (*outcrop.Job, error) {
	var err error
	for range changesMax {
		var j *outcrop.Job
		if j, err = w.read(ctx); err != nil {
			return nil, err
		}
		ok, more := f(j)
		if !ok {
			return j, nil
		}
		changes := append([]outcrop.Change{{Op: outcrop.OpUpdate, Record: j.Record()}}, more...)
		if err = w.r.store.Apply(ctx, changes...); err == nil {
			return j, nil
		}
		if !errors.Is(err, outcrop.ErrStale) {
			return nil, err
		}
	}
	return nil, err
}

// update is change for a change that is always made, of the job alone.
func (w *watch) update(ctx context.Context, f func(j *outcrop.Job)) (*outcrop.Job, error) {
	return w.change(ctx, func(j *outcrop.Job) (bool, []outcrop.Change) { f(j); return true, nil })
}

func (w *watch) renew(ctx context.Context) error {
	now := w.r.o.Now()
	if now.Sub(w.renewed) < leaseRenewal {
		return nil
	}
	err := w.r.store.Renew(ctx, w.arn, w.fence, leaseTTL)
	if errors.Is(err, outcrop.ErrStale) {
		return errLost
	}
	if err == nil {
		w.renewed = now
	}
	return err
}

// keepLease renews the lease in the background until stop is called: verifying a large
// model takes longer than a lease lasts.
func (w *watch) keepLease(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		for {
			pause.For(ctx, leaseRenewal, nil)
			if ctx.Err() != nil {
				return
			}
			if err := w.r.store.Renew(ctx, w.arn, w.fence, leaseTTL); err != nil {
				w.r.o.Log.Warn("renew lease", "job", w.arn, "error", err)
			}
		}
	})
	return func() { cancel(); keeping.Wait() }
}

// follow does what a living attempt needs: its progress is written, it is ended when it
// does not stop, or does not speak.
func (w *watch) follow(ctx context.Context, j *outcrop.Job) error {
	if err := w.flush(ctx, false); err != nil {
		return err
	}
	now := w.r.o.Now()
	if j.Status == outcrop.JobStopping {
		if w.stopping.IsZero() {
			w.stopping = now
			if _, err := w.update(ctx, func(j *outcrop.Job) { stopping(j, now) }); err != nil {
				return err
			}
		}
		if now.Sub(w.stopping) >= stopGrace {
			return w.kill(ctx, j, "it did not stop")
		}
	}
	w.mu.Lock()
	silent := now.Sub(w.heard)
	w.mu.Unlock()
	if silent >= hangTimeout {
		w.hung = true
		return w.kill(ctx, j, "it is silent")
	}
	return nil
}

func (w *watch) kill(ctx context.Context, j *outcrop.Job, why string) error {
	w.r.o.Log.Warn("kill attempt", "job", w.arn, "attempt", j.Attempt.Number, "why", why)
	defer w.notify()
	return w.r.launcher.Kill(ctx, j.Attempt.Handle)
}

func (w *watch) scratch(j *outcrop.Job) string { return filepath.Join(w.r.o.ScratchRoot, j.ID) }

// beat takes a heartbeat in. It does not write: that is the watch's goroutine's, at its
// own pace.
func (w *watch) beat(h attempt.Heartbeat) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = w.r.o.Now()
	h.Progress.UpdatedAt = w.heard
	if w.newest == nil || w.newest.Phase != h.Phase || len(w.newest.Progress.ValidationLosses) != len(h.Progress.ValidationLosses) {
		w.urgent = true
		w.notify()
	}
	w.newest = &h
}

// last takes in where an attempt ended, as its result says: it is further than its last
// heartbeat, and what is billed. The phase stays what the attempt has said.
func (w *watch) last(p outcrop.Progress) {
	h := attempt.Heartbeat{Phase: attempt.PhaseValidation, Progress: p}
	h.Progress.UpdatedAt = w.r.o.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.newest != nil {
		h.Phase = w.newest.Phase
	}
	w.newest = &h
}

// flush writes the newest heartbeat into the record, at most every progressEvery unless it
// is urgent or now is set.
func (w *watch) flush(ctx context.Context, now bool) error {
	w.mu.Lock()
	h, urgent := w.newest, w.urgent
	w.mu.Unlock()
	at := w.r.o.Now()
	if h == nil || h == w.flushed || !now && !urgent && at.Sub(w.written) < progressEvery {
		return nil
	}
	_, err := w.update(ctx, func(j *outcrop.Job) { note(j, *h, at) })
	if err != nil {
		return err
	}
	w.written, w.flushed = at, h
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.newest == h {
		w.urgent = false
	}
	return nil
}

// note writes a heartbeat into a job. A worker that does not know yet how many steps there
// are has not looked at the checkpoints: what an earlier one has reached stays.
func note(j *outcrop.Job, h attempt.Heartbeat, at time.Time) {
	reach(j, h.Phase, at)
	if h.Progress.Steps == 0 && j.Progress.Steps > 0 {
		return
	}
	j.Progress = h.Progress
	if h.Progress.Step > j.Attempt.BestStep {
		j.Attempt.BestStep, j.Attempt.Failures, j.Attempt.Losses = h.Progress.Step, 0, 0
	}
}
