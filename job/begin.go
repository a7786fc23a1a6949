package job

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/attempt"
)

// begin starts the next attempt when its time has come, or ends a job that is to be
// stopped and has none.
func (w *watch) begin(ctx context.Context, j *outcrop.Job) (time.Duration, error) {
	if j.Status == outcrop.JobStopping {
		return 0, w.stopped(ctx, j)
	}
	if wait := w.notBefore.Sub(w.r.o.Now()); wait > 0 {
		return min(wait, leaseRenewal), nil
	}
	return 0, w.start(ctx)
}

// start gives the attempt its number before its process begins: from then on an earlier
// worker, if there still is one, is refused. The handle follows. A server that dies between
// the two leaves a process that nobody knows; the launcher ends it when the next attempt
// starts.
func (w *watch) start(ctx context.Context) error {
	now := w.r.o.Now()
	j, err := w.update(ctx, func(j *outcrop.Job) {
		j.Attempt.Number++
		j.Attempt.Handle, j.Attempt.Started = "", now
		reach(j, attempt.PhaseValidation, now)
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.heard, w.newest, w.urgent = now, nil, false
	w.mu.Unlock()
	w.hung = false
	// A server that is told to end does not leave a worker without its handle.
	ctx = context.WithoutCancel(ctx)
	number := j.Attempt.Number
	handle, err := w.r.launcher.Start(ctx, outcrop.Launch{
		JobID: j.ID, Attempt: number, Token: w.r.signer.Token(attempt.ID{Job: w.arn, Number: number}),
	})
	if err != nil {
		return w.retry(ctx, ending{code: attempt.ExitSoftware, message: err.Error()})
	}
	w.r.o.Log.Info("attempt started", "job", w.arn, "attempt", number, "handle", handle)
	_, err = w.update(ctx, func(j *outcrop.Job) { j.Attempt.Handle = handle })
	return err
}

// retry counts an attempt that has ended without a result, and either gives the job up or
// lets the next attempt start after a while.
func (w *watch) retry(ctx context.Context, e ending) error {
	if err := w.flush(ctx, true); err != nil {
		return err
	}
	giveUp := ""
	j, err := w.update(ctx, func(j *outcrop.Job) {
		j.Attempt.Handle = ""
		if e.lost() {
			j.Attempt.Losses++
		} else {
			j.Attempt.Failures++
		}
		if giveUp = w.givenUp(j, e); giveUp != "" {
			w.fail(j, giveUp)
		}
	})
	if err != nil {
		return err
	}
	w.r.o.Log.Warn("attempt ended early", "job", w.arn, "attempt", j.Attempt.Number, "why", e.String(),
		"failures", j.Attempt.Failures, "losses", j.Attempt.Losses, "givenUp", giveUp != "")
	if giveUp != "" {
		return w.ended(j)
	}
	w.notBefore = w.r.o.Now().Add(backoff(j.Attempt.Failures + j.Attempt.Losses))
	return nil
}

// backoff is how long the next attempt waits after n attempts in a row that got no
// further: nothing after the first, then twice as long each time.
func backoff(n int) time.Duration {
	if n <= 1 {
		return 0
	}
	return min(backoffMin<<min(n-2, 10), backoffMax)
}
