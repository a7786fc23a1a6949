package job

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"
	"unicode/utf8"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/attempt"
	"outcrop.dev/outcrop/internal/pause"
)

// ending is how an attempt ended, when it left no model.
type ending struct {
	code    int // an exit code; codeUnknown where nobody can know
	message string
	reason  outcrop.Reason
	said    bool // the worker itself said so, in its result
}

// codeUnknown is the code of a process that was ended from outside, or that ended while no
// server looked.
const codeUnknown = -1

func (e ending) String() string {
	if e.code == codeUnknown {
		return cmp.Or(e.message, "it was killed, or ended while no server was running")
	}
	return cmp.Or(e.message, fmt.Sprintf("exit code %d", e.code))
}

// lost reports whether the attempt ended by no fault of its own.
func (e ending) lost() bool {
	switch e.code {
	case codeUnknown, attempt.ExitTemporary, attempt.ExitFenced, attempt.ExitStopped:
		return true
	}
	return false
}

// final reports whether another attempt would end in the same way.
func (e ending) final() bool {
	switch e.code {
	case attempt.ExitBadData, attempt.ExitNoInput, attempt.ExitDiverged, attempt.ExitConfig, attempt.ExitDeadline:
		return true
	case attempt.ExitOutOfMemory:
		return e.said // planned and found too large; the kernel's kill may have been another's fault
	}
	return false
}

// conclude does what an attempt's result asks for.
func (w *watch) conclude(ctx context.Context, j *outcrop.Job, res attempt.Result) error {
	w.last(res.Progress)
	e := ending{code: res.ExitCode, message: res.Message, reason: res.Reason, said: true}
	switch {
	case j.Status == outcrop.JobStopping:
		return w.stopped(ctx, j)
	case res.ExitCode == attempt.ExitDone:
		return w.publish(ctx, j, res)
	}
	if err := w.awaitEnd(ctx, j); err != nil {
		return err
	}
	if e.final() {
		return w.failed(ctx, e.explain(j, w.scratch(j)))
	}
	// First the result goes, then it is counted: killed in between, one attempt too few is.
	if err := removeFile(filepath.Join(w.scratch(j), attempt.ResultFile)); err != nil {
		return err
	}
	return w.retry(ctx, e)
}

// A worker that has sent its result has exitGrace to end by itself, and to print its last
// words into the log.
const (
	exitGrace = 2 * time.Second
	exitPoll  = 20 * time.Millisecond
)

// awaitEnd waits for the end of a worker that has nothing more to do, and makes sure of it:
// the next attempt must not meet it.
func (w *watch) awaitEnd(ctx context.Context, j *outcrop.Job) error {
	handle := j.Attempt.Handle
	if handle == "" {
		return nil
	}
	for waited := time.Duration(0); waited < exitGrace; waited += exitPoll {
		alive, err := w.r.launcher.Alive(ctx, handle)
		if err != nil || !alive {
			return err
		}
		pause.For(ctx, exitPoll, nil)
	}
	return w.r.launcher.Kill(ctx, handle)
}

// exits is what a launcher may also know: how a process ended.
type exits interface {
	Exit(ctx context.Context, handle string) (code int, detail string, ok bool)
}

// died does what a process asks for that has ended without a result.
func (w *watch) died(ctx context.Context, j *outcrop.Job) error {
	if j.Status == outcrop.JobStopping {
		return w.stopped(ctx, j)
	}
	e := ending{code: codeUnknown}
	if l, ok := w.r.launcher.(exits); ok {
		if code, detail, known := l.Exit(ctx, j.Attempt.Handle); known {
			e = ending{code: code, message: detail, reason: attempt.ReasonOfDeath(detail)}
		}
	}
	if w.hung {
		e = ending{code: attempt.ExitSoftware, message: fmt.Sprintf("it was silent for %v and was ended", hangTimeout)}
	}
	if e.final() {
		return w.failed(ctx, e.explain(j, w.scratch(j)))
	}
	return w.retry(ctx, e)
}

// stopped ends a job as its owner asked. A model that an attempt has finished meanwhile is
// dropped: a stopped job has none.
func (w *watch) stopped(ctx context.Context, j *outcrop.Job) error {
	if err := w.awaitEnd(ctx, j); err != nil {
		return err
	}
	if err := w.flush(ctx, true); err != nil {
		return err
	}
	if err := w.removeModels(j); err != nil {
		return err
	}
	now := w.r.o.Now()
	j, err := w.update(ctx, func(j *outcrop.Job) {
		j.Status, j.EndTime, j.Attempt.Handle = outcrop.JobStopped, now, ""
		finish(j, outcrop.PhaseStopped, now)
	})
	if err != nil {
		return err
	}
	w.r.bill(ctx, j)
	return w.ended(j)
}

// failed ends a job with a message.
func (w *watch) failed(ctx context.Context, message string) error {
	if err := w.flush(ctx, true); err != nil {
		return err
	}
	j, err := w.update(ctx, func(j *outcrop.Job) { w.fail(j, message) })
	if err != nil {
		return err
	}
	return w.ended(j)
}

// fail marks a job as failed.
func (w *watch) fail(j *outcrop.Job, message string) {
	now := w.r.o.Now()
	j.Status, j.EndTime, j.Attempt.Handle = outcrop.JobFailed, now, ""
	j.FailureMessage = clip(message)
	finish(j, outcrop.PhaseFailed, now)
}

// ended drops what the job does not need any more.
func (w *watch) ended(j *outcrop.Job) error {
	w.r.o.Log.Info("job ended", "job", w.arn, "status", j.Status, "message", j.FailureMessage)
	w.r.tidy(j.ID, j.Status == outcrop.JobFailed)
	return errEnded
}

// billed are the statuses of a job that is paid for: failed ones cost nothing.
var billed = []outcrop.Status{outcrop.JobCompleted, outcrop.JobStopped}

// bill meters what a job has trained. It may be called again.
func (r *Reconciler) bill(ctx context.Context, j *outcrop.Job) {
	if j.Progress.Tokens == 0 {
		return
	}
	r.meter.Record(ctx, outcrop.Usage{
		At: j.EndTime, Scope: j.Scope, Resource: j.ARN, Operation: "ModelCustomizationJob", TrainingTokens: j.Progress.Tokens, Once: true,
	})
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

func (w *watch) modelDir(j *outcrop.Job) string {
	return w.r.o.ModelDir(j.CustomModelID)
}
