package work

import (
	"context"

	"outcrop.dev/outcrop"
)

// Work is stopped in four steps, each in the record or told by it:
//
//	asked    a service sets the status Stopping
//	told     the answer to the worker's next heartbeat is CommandStop (Attempts.Beat)
//	forced   a process that has not ended stopGrace later is killed (lateToStop)
//	ended    nobody works on it any more: Stopped, and nothing is left (stopped)
//
// Work without a process, because none has begun yet or the last one has died, is ended at once.

// lateToStop reports whether a living process has had all the time there is to stop. When it is first
// asked of work that is to be stopped, it marks that.
func (w *watch[N]) lateToStop(ctx context.Context, n N) (late bool, err error) {
	if n.Head().Status != outcrop.JobStopping {
		return false, nil
	}
	now := w.o.Now()
	if w.stopping.IsZero() {
		w.stopping = now
		_, err = w.update(ctx, func(n N) { w.rules.Mark(n, "", now) })
	}
	return now.Sub(w.stopping) >= stopGrace, err
}

// stopped ends work as its owner asked. What an attempt has finished meanwhile is dropped.
func (w *watch[N]) stopped(ctx context.Context, n N) error {
	if err := w.awaitEnd(ctx, n); err != nil {
		return err
	}
	if err := w.flush(ctx, true); err != nil {
		return err
	}
	if err := w.rules.Withdraw(n); err != nil {
		return err
	}
	stopped, err := w.update(ctx, func(n N) { w.end(n, outcrop.JobStopped, "") })
	if err != nil {
		return err
	}
	return w.left(stopped)
}
