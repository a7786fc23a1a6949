package work

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

// begin starts the next attempt when its time has come, or ends work that is to be stopped and has
// no process.
func (w *watch[N]) begin(ctx context.Context, n N) (time.Duration, error) {
	if n.Head().Status == outcrop.JobStopping {
		return 0, w.stopped(ctx, n)
	}
	if wait := w.notBefore.Sub(w.o.Now()); wait > 0 {
		return min(wait, leaseRenewal), nil
	}
	return 0, w.start(ctx)
}

// start gives the attempt its number before its process begins: from then on an earlier
// worker, if there still is one, is refused. The handle follows. A server that dies between
// the two leaves an attempt that has begun and has no handle: the next one asks the launcher for
// the same attempt again, which finds the process if there is one.
func (w *watch[N]) start(ctx context.Context) error {
	now := w.o.Now()
	n, err := w.update(ctx, func(n N) {
		if tried := &n.Worked().Attempt; tried.Started.IsZero() {
			tried.Number++
			tried.Started = now
		}
		w.rules.Mark(n, "", now)
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.heard, w.newest, w.urgent = now, nil, false
	w.pulse, w.idle, w.asked = pulse{}, time.Time{}, time.Time{}
	w.mu.Unlock()
	w.hung = nil
	// A server that is told to end does not leave a worker without its handle.
	ctx = context.WithoutCancel(ctx)
	number := n.Worked().Attempt.Number
	handle, err := w.launcher.Start(ctx, launch.Launch{
		JobID: n.Head().ID, Attempt: number, Token: w.signer.Token(attempt.ID{Job: w.hold.ARN, Number: number}),
	})
	if err != nil {
		return w.retry(ctx, Ending{Code: attempt.ExitSoftware, Message: err.Error()})
	}
	w.o.Log.Info("attempt started", "on", w.hold.ARN, "attempt", number, "handle", handle)
	_, err = w.update(ctx, func(n N) { n.Worked().Attempt.Handle = handle })
	return err
}

// retry counts an attempt that has ended without success, and either gives the work up or lets the
// next attempt start after a while.
func (w *watch[N]) retry(ctx context.Context, e Ending) error {
	if err := w.flush(ctx, true); err != nil {
		return err
	}
	giveUp := ""
	n, err := w.update(ctx, func(n N) {
		tried := &n.Worked().Attempt
		settle(tried)
		if e.Lost() {
			tried.Losses++
		} else {
			tried.Failures++
		}
		if e.Idle {
			tried.Stalls++
		}
		if giveUp = w.givenUp(n, e); giveUp != "" {
			w.end(n, outcrop.JobFailed, giveUp)
		}
	})
	if err != nil {
		return err
	}
	tried := n.Worked().Attempt
	w.o.Log.Warn("attempt ended early", "on", w.hold.ARN, "attempt", tried.Number, "why", e.String(),
		"failures", tried.Failures, "losses", tried.Losses, "givenUp", giveUp != "")
	if giveUp != "" {
		return w.left(n)
	}
	w.notBefore = w.o.Now().Add(backoff(tried.Failures + tried.Losses))
	return nil
}

// settle notes that the attempt has ended, and what it said has been heard.
func settle(tried *outcrop.Attempt) {
	tried.Handle, tried.Started, tried.Result = "", time.Time{}, nil
}

// backoff is how long the next attempt waits after n attempts in a row that got no
// further: nothing after the first, then twice as long each time.
func backoff(n int) time.Duration {
	if n <= 1 {
		return 0
	}
	return min(backoffMin<<min(n-2, 10), backoffMax)
}
