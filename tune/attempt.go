package tune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/nn"
	"outcrop.dev/outcrop/train"
)

// The phases that Report names, as a job's statusDetails have them.
const (
	phaseValidation     = "Validation"
	phaseDataProcessing = "DataProcessing"
	phaseTraining       = "Training"
)

// The commands that Report returns.
const (
	commandCheckpoint = "checkpoint" // write a checkpoint now, then go on
	commandStop       = "stop"       // end without a model
	commandPreempt    = "preempt"    // write a checkpoint, then end; another attempt goes on
)

// Attempt is what a run needs of the attempt that it works for; *attempt.Client is one.
type Attempt interface {
	// Report notes how far the work is and returns the newest command. It never waits.
	Report(phase string, p outcrop.Progress) (command string)
	// Get opens an input: the same bytes in every attempt. CodeNotFound if it is missing.
	Get(ctx context.Context, uri string) (io.ReadCloser, error)
	// Put stores an artefact and waits until it is on disk.
	Put(ctx context.Context, uri, contentType string, body io.ReadSeeker) error
	// PutLater stores an artefact without waiting; of several contents the newest counts.
	PutLater(uri, contentType string, content []byte)
	// Flush waits for all of PutLater.
	Flush(ctx context.Context) error
}

// Job is what to do: the part of a job's row that the work depends on.
type Job struct {
	ID              string
	BaseModelID     string
	ModelDir        string // the base model, in Hugging Face layout
	BaseDir         string // if that is an adapter: the model that it belongs to; "" if it is whole
	ContextLength   int    // tokens
	ScratchDir      string // outlives attempts
	HyperParameters map[string]string
	Train           outcrop.TrainSpec
	TrainingURI     string
	ValidationURIs  []string
	OutputPrefix    string // artefacts go below it
}

// Options are what a run needs of the process it runs in.
type Options struct {
	Exec        nn.Exec          // what the arithmetic runs on
	Now         func() time.Time // for rates and intervals; no result depends on it
	MemoryBytes int64            // what the process may use; 0: not known
	Log         *slog.Logger
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
	ErrStopped   error = &exitError{outcrop.ExitStopped, errors.New("stopped as asked")}
	ErrPreempted error = &exitError{outcrop.ExitTemporary, errors.New("ended after a checkpoint, as asked")}
)

// classify gives the errors of training the exit code and the sentence that a user needs.
func classify(err error, rate float64) error {
	var diverged *train.Diverged
	if errors.As(err, &diverged) {
		e := outcrop.Errorf(outcrop.CodeModelError, "The training diverged at step %d: the %s is not a finite number. "+
			"Use a smaller learningRate (it was %g for this model), or more learningRateWarmupSteps, and look for rows of garbage in the data.",
			diverged.Step, diverged.What, rate)
		e.Err = err
		return &exitError{outcrop.ExitDiverged, e}
	}
	return err
}

// outOfMemory refuses a job that cannot fit; why says so with the numbers.
func outOfMemory(why string) error {
	return &exitError{outcrop.ExitOutOfMemory, outcrop.Errorf(outcrop.CodeModelError, "%s", why)}
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
