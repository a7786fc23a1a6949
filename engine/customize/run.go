package customize

import (
	"context"
	"errors"
	"os"
	"syscall"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work/attempt"
)

// Run does the job, from wherever an earlier attempt left it, and leaves the finished model in
// the directory model of the scratch directory. It returns how far it got, also with an error.
// The errors: CodeValidation for bad data; ErrStopped and ErrPreempted when told to end; the
// context's cause; those with a method ExitCode decide how the worker exits.
func Run(ctx context.Context, a Attempt, job attempt.Spec, o Options) (outcrop.Progress, error) {
	r := &run{attempt: a, job: job, Options: o, artefacts: map[string]artefact{}, phase: attempt.PhaseValidation}
	err := r.runPhases(ctx)
	r.closeModel()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r.progress, r.retryIfShort(classify(err, job.Train.PeakRate()))
}

// retryIfShort makes err temporary where the disk is full or memory is short and the job has
// trained already. Such a job has fitted before. What takes the room may end, and what was
// trained is not given up.
func (r *run) retryIfShort(err error) error {
	var exit *exitError
	short := errors.As(err, &exit) && exit.code == attempt.ExitOutOfMemory
	if !short && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	if saved, _ := os.ReadDir(r.scratch(attempt.CheckpointsDir)); len(saved) == 0 {
		return err
	}
	return &exitError{attempt.ExitTemporary, err}
}

// runPhases does the job, phase by phase.
func (r *run) runPhases(ctx context.Context) error {
	if err := r.obeyCommand(ctx); err != nil {
		return err
	}
	if err := r.pinBase(); err != nil {
		return err
	}
	if err := r.loadData(ctx); err != nil {
		return err
	}
	r.phase = attempt.PhaseDataProcessing
	if err := r.obeyCommand(ctx); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	r.phase = attempt.PhaseTraining
	if err := r.trainOrTell(ctx); err != nil {
		return err
	}
	return r.finish(ctx)
}
