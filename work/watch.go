package work

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

// watch is the Task of a record that processes work on.
type watch[N Noun] struct {
	*kind[N]
	hold *Hold
	slot bool // it has one of the places

	// Only the goroutine of Step uses these.
	notBefore time.Time          // when the next attempt may start, or finished work be brought again
	stopping  time.Time          // when the stop was first seen
	written   time.Time          // when progress was last written
	flushed   *attempt.Heartbeat // what was written then
	hung      *Ending            // how the attempt ends that we killed, because it was silent or idle

	mu     sync.Mutex
	heard  time.Time // the last heartbeat, or the beginning
	newest *attempt.Heartbeat
	urgent bool // newest says something that should not wait
	pulse  pulse
	idle   time.Time // when it was found to do nothing; zero while it does
	asked  time.Time // for its stacks; zero unless it was, since
}

func (w *watch[N]) Leave() {
	w.kind.mu.Lock()
	defer w.kind.mu.Unlock()
	if w.watched[w.hold.ARN] == listener(w) {
		delete(w.watched, w.hold.ARN)
	}
	if w.slot {
		w.slots--
	}
}

// Step implements Task. What the record says decides, never what is only in memory: a result
// comes first, then a handle to look for, else an attempt is to be started.
func (w *watch[N]) Step(ctx context.Context) (time.Duration, error) {
	n, err := w.now(ctx)
	if err != nil {
		return 0, err
	}
	tried := n.Worked().Attempt
	if tried.Result != nil {
		if wait := w.notBefore.Sub(w.o.Now()); wait > 0 && n.Head().Status != outcrop.JobStopping {
			return min(wait, leaseRenewal), nil // it was done, and there was no place for it
		}
		return w.o.Heartbeat, w.conclude(ctx, n)
	}
	if tried.Handle == "" {
		return w.begin(ctx, n)
	}
	state, err := w.launcher.State(ctx, tried.Handle)
	if err != nil {
		return 0, err
	}
	if !state.Over() {
		return w.o.Heartbeat, w.follow(ctx, n, state)
	}
	if n, err = w.now(ctx); err != nil || n.Worked().Attempt.Result != nil {
		return 0, err // it was said while we looked
	}
	return 0, w.died(ctx, n, state)
}

// now returns the noun as it is now, if it is still ours to work on.
func (w *watch[N]) now(ctx context.Context) (n N, err error) {
	rec, err := w.hold.Read(ctx)
	if err != nil {
		return n, err
	}
	return w.workable(rec)
}

// workable reads a record that is not at its end.
func (w *watch[N]) workable(rec outcrop.Record) (n N, err error) {
	if n, err = w.rules.Of(rec); err == nil && ended(n) {
		err = ErrEnded
	}
	return n, err
}

// ended reports whether the work on n has come to its end.
func ended(n Noun) bool {
	return !slices.Contains(liveStatuses, n.Head().Status)
}

// change applies f to the newest version of the noun, with what else f returns, in one
// transaction. If f returns false, nothing is written. It returns the noun as it then is.
func (w *watch[N]) change(ctx context.Context, f func(n N) (ok bool, more []outcrop.Change)) (n N, err error) {
	err = w.hold.Edit(ctx, func(rec outcrop.Record) ([]outcrop.Change, error) {
		if n, err = w.workable(rec); err != nil {
			return nil, err
		}
		ok, more := f(n)
		if !ok {
			return nil, nil
		}
		return append([]outcrop.Change{{Op: outcrop.OpUpdate, Record: n.Record()}}, more...), nil
	})
	return n, err
}

// update is change for a change that is always made, of the noun alone.
func (w *watch[N]) update(ctx context.Context, f func(n N)) (N, error) {
	return w.change(ctx, func(n N) (bool, []outcrop.Change) { f(n); return true, nil })
}

// follow does what a process needs that has not ended: its progress is written, it is killed when
// it does not stop, or does not speak.
func (w *watch[N]) follow(ctx context.Context, n N, state launch.State) error {
	if err := w.flush(ctx, false); err != nil {
		return err
	}
	if late, err := w.lateToStop(ctx, n); err != nil {
		return err
	} else if late {
		return w.kill(ctx, n, "it did not stop")
	}
	now := w.o.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if state.Phase == launch.Waiting {
		w.heard = now // it cannot speak yet
	}
	if now.Sub(w.heard) >= hangTimeout {
		w.hung = &Ending{Code: attempt.ExitSoftware, Message: fmt.Sprintf("it was silent for %v and was ended", hangTimeout)}
		return w.kill(ctx, n, "it is silent")
	}
	return w.endIdle(ctx, n, now)
}

// endIdle ends a process that speaks and gets nothing done, after it was told to say where it hangs.
// w.mu is held.
func (w *watch[N]) endIdle(ctx context.Context, n N, now time.Time) error {
	idle := w.pulse.idle()
	switch {
	case idle < w.pulse.patience(w.o.IdleMax):
		w.idle, w.asked = time.Time{}, time.Time{}
	case w.idle.IsZero():
		w.idle = now
		w.o.Log.Warn("attempt does nothing", "on", w.hold.ARN, "attempt", n.Worked().Attempt.Number, "for", idle)
	case !w.asked.IsZero() && now.Sub(w.asked) >= stacksGrace*w.o.Heartbeat:
		w.hung = &Ending{Code: attempt.ExitSoftware, Idle: true,
			Message: fmt.Sprintf("it lived, but did no step, no row and no file for %v, and was ended", idle.Round(time.Second))}
		return w.kill(ctx, n, "it does nothing")
	}
	return nil
}

func (w *watch[N]) kill(ctx context.Context, n N, why string) error {
	tried := n.Worked().Attempt
	w.o.Log.Warn("kill attempt", "on", w.hold.ARN, "attempt", tried.Number, "why", why)
	defer w.look()
	return w.launcher.Kill(ctx, tried.Handle)
}

// look implements listener.
func (w *watch[N]) look() { w.hold.Bell.Ring() }

// beat takes a heartbeat in. It does not write: that is the task's goroutine's, at its own pace.
func (w *watch[N]) beat(h attempt.Heartbeat) (stacks bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = w.o.Now()
	w.pulse.beat(h, w.heard)
	h.Progress.UpdatedAt = w.heard
	if w.newest == nil || w.newest.Phase != h.Phase || len(w.newest.Progress.ValidationLosses) != len(h.Progress.ValidationLosses) {
		w.urgent = true
		w.look()
	}
	w.newest = &h
	stacks = !w.idle.IsZero() && w.asked.IsZero()
	if stacks {
		w.asked = w.heard
	}
	return stacks
}

// last takes in where an attempt ended, as its result says: it is further than its last
// heartbeat, and what is billed. The phase stays what the attempt has said.
func (w *watch[N]) last(p outcrop.Progress) {
	h := attempt.Heartbeat{Phase: attempt.PhaseValidation, Progress: p}
	h.Progress.UpdatedAt = w.o.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.newest != nil {
		h.Phase = w.newest.Phase
	}
	w.newest = &h
}

// flush writes the newest heartbeat into the record, at most every progressEvery unless it
// is urgent or now is set.
func (w *watch[N]) flush(ctx context.Context, now bool) error {
	w.mu.Lock()
	h, urgent := w.newest, w.urgent
	w.mu.Unlock()
	at := w.o.Now()
	if h == nil || h == w.flushed || !now && !urgent && at.Sub(w.written) < progressEvery {
		return nil
	}
	_, err := w.update(ctx, func(n N) {
		w.rules.Mark(n, h.Phase, at)
		note(n.Worked(), h.Progress)
	})
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

// note writes progress down. A worker that does not know yet how many steps there are has not
// looked at the checkpoints: what an earlier one has reached stays.
func note(work *outcrop.Work, p outcrop.Progress) {
	if p.Steps == 0 && work.Progress.Steps > 0 {
		return
	}
	work.Progress = p
	if tried := &work.Attempt; p.Step > tried.BestStep {
		tried.BestStep, tried.Failures, tried.Losses, tried.Stalls = p.Step, 0, 0, 0
	}
}

// resultOf reads what the worker of n has said at its end.
func resultOf(n Noun) (res attempt.Result, err error) {
	if err = json.Unmarshal(n.Worked().Attempt.Result, &res); err != nil {
		err = fmt.Errorf("read the result of %s: %w", n.Head().ARN, err)
	}
	return res, err
}
