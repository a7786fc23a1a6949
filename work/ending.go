package work

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

// conclude does what an attempt's result asks for.
func (w *watch[N]) conclude(ctx context.Context, n N) error {
	res, err := resultOf(n)
	if err != nil {
		return w.retry(ctx, Ending{Code: attempt.ExitSoftware, Message: err.Error()})
	}
	w.last(res.Progress)
	e := Ending{Code: res.ExitCode, Message: res.Message, Reason: res.Reason, Said: true, Log: w.log(n)}
	switch {
	case n.Head().Status == outcrop.JobStopping:
		return w.stopped(ctx, n)
	case res.ExitCode == attempt.ExitDone:
		return w.publish(ctx, n, res)
	}
	if err := w.awaitEnd(ctx, n); err != nil {
		return err
	}
	if e.Final() {
		return w.failed(ctx, e)
	}
	return w.retry(ctx, e)
}

// publish brings what an attempt has made to its place, and commits it with the end of the work in
// one transaction. Killed anywhere in between, it does the rest the next time.
func (w *watch[N]) publish(ctx context.Context, n N, res attempt.Result) error {
	switch err := w.rules.Publish(n, w.scratch(n.Head().ID), res); {
	case errors.Is(err, ErrDamaged):
		w.o.Log.Error("finished work", "on", w.hold.ARN, "error", err)
		return w.discard(ctx, n, err)
	case err != nil:
		// Trained again, it would want the same place.
		w.o.Log.Error("finished work has no place to go, and waits", "on", w.hold.ARN, "for", publishEvery, "error", err)
		w.notBefore = w.o.Now().Add(publishEvery)
		return nil
	}
	n, err := w.change(ctx, func(n N) (bool, []outcrop.Change) {
		if n.Head().Status == outcrop.JobStopping {
			return false, nil // stopped at the last moment
		}
		now := w.o.Now()
		res.Progress.UpdatedAt = now
		n.Worked().Progress = res.Progress
		w.end(n, outcrop.JobCompleted, "")
		return true, w.rules.Complete(n, res)
	})
	if outcrop.CodeOf(err) == outcrop.CodeConflict && !errors.Is(err, outcrop.ErrStale) {
		return w.taken(ctx, err)
	}
	if err != nil {
		return err
	}
	if n.Head().Status == outcrop.JobStopping {
		return w.stopped(ctx, n)
	}
	return w.left(n)
}

// discard drops what is not what the worker has sealed. The next attempt makes it anew.
func (w *watch[N]) discard(ctx context.Context, n N, cause error) error {
	if err := w.awaitEnd(ctx, n); err != nil {
		return err
	}
	if err := w.rules.Withdraw(n); err != nil {
		return err
	}
	return w.retry(ctx, Ending{Code: attempt.ExitSoftware, Message: fmt.Sprintf("the finished model could not be published: %v", cause), Log: w.log(n)})
}

// taken ends work that cannot be recorded: another noun has the name of what it has made.
func (w *watch[N]) taken(ctx context.Context, cause error) error {
	n, err := w.now(ctx)
	if err != nil {
		return err
	}
	if err := w.rules.Withdraw(n); err != nil {
		return err
	}
	var e *outcrop.Error
	errors.As(cause, &e)
	return w.failed(ctx, Ending{Code: CodeTaken, Message: e.Msg})
}

// A worker that has sent its result has exitGrace to end by itself, and to print its last
// words into the log.
const (
	exitGrace = 2 * time.Second
	exitPoll  = 20 * time.Millisecond
)

// awaitEnd waits for the end of a process that has nothing more to do, and makes sure of it:
// the next attempt must not meet it.
func (w *watch[N]) awaitEnd(ctx context.Context, n N) error {
	handle := n.Worked().Attempt.Handle
	if handle == "" {
		return nil
	}
	for waited := time.Duration(0); waited < exitGrace; waited += exitPoll {
		state, err := w.launcher.State(ctx, handle)
		if err != nil || state.Over() {
			return err
		}
		pause.For(ctx, exitPoll, nil)
	}
	return w.launcher.Kill(ctx, handle)
}

// died does what a process asks for that has ended without a result.
func (w *watch[N]) died(ctx context.Context, n N, state launch.State) error {
	if n.Head().Status == outcrop.JobStopping {
		return w.stopped(ctx, n)
	}
	e := Ending{Code: CodeUnknown, Log: w.log(n)}
	switch {
	case w.hung != nil:
		e.Code, e.Message, e.Idle = w.hung.Code, w.hung.Message, w.hung.Idle
	case state.Killed:
		e.Message, e.Reason = state.Detail, attempt.ReasonOfDeath(state.Detail)
	case state.Phase == launch.Ended:
		e.Code, e.Message, e.Reason = state.Code, state.Detail, attempt.ReasonOfDeath(state.Detail)
	}
	if e.Final() {
		return w.failed(ctx, e)
	}
	return w.retry(ctx, e)
}

// failed ends work with a message.
func (w *watch[N]) failed(ctx context.Context, e Ending) error {
	if err := w.flush(ctx, true); err != nil {
		return err
	}
	n, err := w.update(ctx, func(n N) { w.end(n, outcrop.JobFailed, w.rules.Explain(n, e)) })
	if err != nil {
		return err
	}
	return w.left(n)
}

// end writes into n that the work has come to its end.
func (w *watch[N]) end(n N, status outcrop.Status, message string) {
	now := w.o.Now()
	n.Head().Status = status
	work := n.Worked()
	work.EndTime, work.FailureMessage = now, clip(message)
	started := work.Attempt.Started
	settle(&work.Attempt)
	work.Attempt.Started = started
	w.rules.Mark(n, "", now)
}

// left does what is left once the end is written: the work is paid for, its scratch directory goes.
func (w *watch[N]) left(n N) error {
	status := n.Head().Status
	w.o.Log.Info("work ended", "on", w.hold.ARN, "status", status, "message", n.Worked().FailureMessage)
	if u, ok := w.rules.Bill(n); ok && status != outcrop.JobFailed {
		w.meter.Record(context.Background(), u)
	}
	w.tidy(n.Head().ID, status == outcrop.JobFailed)
	return ErrEnded
}

// failureCharactersMax is Bedrock's limit on failureMessage.
const failureCharactersMax = 2048

func clip(message string) string {
	if utf8.RuneCountInString(message) <= failureCharactersMax {
		return message
	}
	r := []rune(message)
	return string(r[:failureCharactersMax-1]) + "…"
}

// givenUp returns the failure message of work that has been tried often enough, or "".
func (w *watch[N]) givenUp(n N, e Ending) string {
	tried := n.Worked().Attempt
	where := "before the first step"
	if tried.BestStep > 0 {
		where = fmt.Sprintf("after step %d", tried.BestStep)
	}
	switch {
	case tried.Stalls >= stallsMax:
		return Sentences(fmt.Sprintf("The worker did nothing, though it lived, and was ended %d times in a row %s, the last time: %s", tried.Stalls, where, e),
			"Look for what it waits for, a disk or a network mount that does not answer, and create a new job.",
			"Where it hung, the stacks in the worker's log say: "+w.log(n))
	case tried.Failures >= failuresMax:
		return Sentences(w.rules.Explain(n, e), fmt.Sprintf("It failed %d times in a row %s", tried.Failures, where))
	case tried.Losses >= lossesMax:
		return Sentences(fmt.Sprintf("The worker was ended from outside %d times in a row %s, the last time: %s", tried.Losses, where, e),
			cmp.Or(e.Remedy(), "Look for what ends it (a memory limit, a supervisor, a time limit), and create a new job."),
			"The worker's log is "+w.log(n))
	}
	return ""
}
