package job

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/attempt"
)

// current returns the job that id is the present attempt of, or attempt.ErrFenced.
func (r *Reconciler) current(ctx context.Context, id attempt.ID) (*outcrop.Job, error) {
	rec, err := r.store.Get(ctx, outcrop.Key{ARN: id.Job})
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return nil, attempt.ErrFenced
	}
	if err != nil {
		return nil, err
	}
	j, err := outcrop.JobOf(rec)
	if err != nil {
		return nil, err
	}
	if j.Terminal() || j.Attempt.Number != id.Number {
		return nil, attempt.ErrFenced
	}
	return j, nil
}

// Spec implements attempt.Jobs.
func (r *Reconciler) Spec(ctx context.Context, id attempt.ID) (attempt.Spec, error) {
	j, err := r.current(ctx, id)
	if err != nil {
		return attempt.Spec{}, err
	}
	base, err := r.base(ctx, j)
	if err != nil {
		return attempt.Spec{}, err
	}
	return attempt.Spec{
		JobARN: j.ARN, JobID: j.ID, Attempt: id.Number, ScratchDir: filepath.Join(r.o.ScratchRoot, j.ID),
		Heartbeat: r.o.Heartbeat, Threads: r.o.Threads, Grant: grant(j),
		Customization: attempt.Customization{
			CustomizationType: j.CustomizationType, BaseModelID: j.BaseModelID, ModelDir: base.Dir, BaseDir: base.BaseDir,
			ContextLength: base.ContextLength, HyperParameters: j.HyperParameters, Train: j.Train,
		},
	}, nil
}

// Grant implements attempt.Jobs.
func (r *Reconciler) Grant(ctx context.Context, id attempt.ID) (attempt.Grant, error) {
	j, err := r.current(ctx, id)
	if err != nil {
		return attempt.Grant{}, err
	}
	return grant(j), nil
}

func grant(j *outcrop.Job) attempt.Grant {
	return attempt.Grant{TrainingURI: j.TrainingURI, ValidationURIs: j.ValidationURIs, OutputPrefix: j.OutputPrefix()}
}

// Beat implements attempt.Jobs. A heartbeat that comes before this server has taken its
// job up again is answered, and its progress comes with the next one.
func (r *Reconciler) Beat(ctx context.Context, id attempt.ID, h attempt.Heartbeat) (string, error) {
	j, err := r.current(ctx, id)
	if err != nil {
		return "", err
	}
	if w := r.watched(id.Job); w != nil {
		w.beat(h)
	}
	if j.Status == outcrop.JobStopping {
		return attempt.CommandStop, nil
	}
	return attempt.CommandRun, nil
}

// Finish implements attempt.Jobs. The result lies in the scratch directory from then on,
// where the watch finds it, this server's or the next one's.
func (r *Reconciler) Finish(ctx context.Context, id attempt.ID, res attempt.Result) error {
	j, err := r.current(ctx, id)
	if err != nil {
		return err
	}
	err = attempt.WriteResult(filepath.Join(r.o.ScratchRoot, j.ID), res)
	if errors.Is(err, fs.ErrNotExist) {
		return attempt.ErrFenced // the job has ended since we looked
	}
	if err != nil {
		return err
	}
	if w := r.watched(id.Job); w != nil {
		w.notify()
	}
	return nil
}
