package customize

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/work/attempt"
)

// Attempt is what a run needs of the attempt that it works for; *attempt.Client is one.
type Attempt interface {
	// Report notes how far the work is and returns the newest command. It never waits.
	Report(phase string, p outcrop.Progress) (command string)
	// Alive notes that something was finished that is too small to report.
	Alive()
	// UseBase says which base model the work goes on, by BaseDigest.
	UseBase(digest string)
	// Get opens an input: the same bytes in every attempt. CodeNotFound if it is missing.
	Get(ctx context.Context, uri string) (io.ReadCloser, error)
	// Put stores an artefact and waits until it is on disk.
	Put(ctx context.Context, uri, contentType string, body io.ReadSeeker) error
	// PutLater stores an artefact without waiting; of several contents the newest counts.
	PutLater(uri, contentType string, content []byte)
	// Flush waits for all of PutLater.
	Flush(ctx context.Context) error
}

// Options are what a run needs of the process it runs in.
type Options struct {
	Exec        model.Exec       // what the arithmetic runs on
	Now         func() time.Time // for rates and intervals; no result depends on it
	MemoryBytes int64            // what the process may use; 0: not known
	Log         *slog.Logger
}

// obeyCommand tells the server how far the work is, and does what it answers: an error ends the run.
func (r *run) obeyCommand(ctx context.Context) error {
	r.progress.UpdatedAt = r.Now()
	switch r.attempt.Report(r.phase, r.progress) {
	case attempt.CommandStop:
		return ErrStopped
	case attempt.CommandPreempt:
		return r.lastCheckpoint(ErrPreempted)
	case attempt.CommandCheckpoint:
		r.nextSave = time.Time{}
	}
	if ctx.Err() != nil {
		return ctx.Err() // without a checkpoint: another attempt may have taken the directory over
	}
	return nil
}

// lastCheckpoint saves what there is to save and returns reason.
func (r *run) lastCheckpoint(reason error) error {
	if r.trainer != nil && r.trainer.Steps() > 0 {
		if err := r.save(); err != nil {
			return err
		}
	}
	return reason
}

// exitError is an error that decides the exit code of the worker.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }
func (e *exitError) ExitCode() int { return e.code }

// How a run ends when it was told to.
var (
	ErrStopped   error = &exitError{attempt.ExitStopped, errors.New("stopped as asked")}
	ErrPreempted error = &exitError{attempt.ExitTemporary, errors.New("ended after a checkpoint, as asked")}
)

// classify gives the errors of training the exit code and the sentence that a user needs.
func classify(err error, rate float64) error {
	var diverged *train.Diverged
	if errors.As(err, &diverged) {
		e := outcrop.Errorf(outcrop.CodeModelError, "The training diverged at step %d: the %s is not a finite number. "+
			"Use a smaller learningRate (it was %g for this model), or more learningRateWarmupSteps, and look for rows of garbage in the data.",
			diverged.Step, diverged.What, rate)
		e.Err = err
		return &exitError{attempt.ExitDiverged, e}
	}
	return err
}

// errOutOfMemory refuses a job that cannot fit; why says so with the numbers.
func errOutOfMemory(why string) error {
	return &exitError{attempt.ExitOutOfMemory, outcrop.Errorf(outcrop.CodeModelError, "%s", why)}
}
