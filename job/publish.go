package job

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/attempt"
	"outcrop.dev/outcrop/internal/durable"
)

// publish turns a finished attempt into a custom model: the sealed directory is verified
// and moved to its place, then job and model are committed in one transaction. Killed
// anywhere in between, it does the rest the next time.
func (w *watch) publish(ctx context.Context, j *outcrop.Job, res attempt.Result) error {
	defer w.keepLease(ctx)()
	if err := w.placeAll(j, res); err != nil {
		w.r.o.Log.Error("finished model", "job", w.arn, "error", err)
		return w.discard(ctx, j, err)
	}
	now := w.r.o.Now()
	j, err := w.change(ctx, func(j *outcrop.Job) (bool, []outcrop.Change) {
		if j.Status == outcrop.JobStopping {
			return false, nil // stopped at the last moment
		}
		finish(j, outcrop.PhaseCompleted, now)
		res.Progress.UpdatedAt = now
		j.Progress, j.EndTime, j.Status, j.Attempt.Handle = res.Progress, now, outcrop.JobCompleted, ""
		j.OutputModelARN = modelARN(j, j.CustomModelID)
		return true, models(j)
	})
	if outcrop.CodeOf(err) == outcrop.CodeConflict && !errors.Is(err, outcrop.ErrStale) {
		return w.refused(ctx, err)
	}
	if err != nil {
		return err
	}
	if j.Status == outcrop.JobStopping {
		return w.stopped(ctx, j)
	}
	w.r.bill(ctx, j)
	return w.ended(j)
}

// placeAll moves the model and its checkpoints from the scratch directory to where models live.
func (w *watch) placeAll(j *outcrop.Job, res attempt.Result) error {
	if err := w.place(filepath.Join(w.scratch(j), attempt.ModelDir), w.modelDir(j), res.Manifest); err != nil {
		return err
	}
	for _, c := range res.Progress.Checkpoints {
		err := w.place(filepath.Join(w.scratch(j), attempt.EpochDir(c.Epoch)), w.r.o.ModelDir(j.CheckpointID(c.Epoch)), c.Manifest)
		if err != nil {
			return fmt.Errorf("epoch %d: %w", c.Epoch, err)
		}
	}
	return nil
}

// place moves a model. If that has been done before, it only verifies.
func (w *watch) place(from, to, digest string) error {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return attempt.Verify(to, digest)
	}
	if err := attempt.Verify(from, digest); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	// What may lie there was placed by an attempt whose model was discarded: the id is this
	// job's, and the job has no model yet.
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return durable.Rename(from, to)
}

// discard drops a model that is not what the worker sealed and lets another attempt write
// it anew, from the last checkpoint; if the ends of epochs are gone with it, from the beginning.
func (w *watch) discard(ctx context.Context, j *outcrop.Job, cause error) error {
	if err := w.awaitEnd(ctx, j); err != nil {
		return err
	}
	err := errors.Join(
		w.removeModels(j),
		os.RemoveAll(filepath.Join(w.scratch(j), attempt.ModelDir)),
		os.RemoveAll(filepath.Join(w.scratch(j), attempt.EpochsDir)),
		removeFile(filepath.Join(w.scratch(j), attempt.ResultFile)))
	if err != nil {
		return err
	}
	return w.retry(ctx, ending{code: attempt.ExitSoftware, message: fmt.Sprintf("the finished model could not be published: %v", cause)})
}

// removeModels removes what may have been placed of a job that has no models.
func (w *watch) removeModels(j *outcrop.Job) error {
	err := os.RemoveAll(w.modelDir(j))
	for _, e := range j.CheckpointEpochs() {
		err = errors.Join(err, os.RemoveAll(w.r.o.ModelDir(j.CheckpointID(e))))
	}
	return err
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// refused ends a job whose model cannot be recorded: another one has its name.
func (w *watch) refused(ctx context.Context, cause error) error {
	j, err := w.read(ctx)
	if err != nil {
		return err
	}
	if err := w.removeModels(j); err != nil {
		return err
	}
	var e *outcrop.Error
	errors.As(cause, &e)
	return w.failed(ctx, sentences("The trained model could not be kept: "+e.Msg, "Create a new job with another customModelName."))
}

// models are the changes that make the models of a finished job.
func models(j *outcrop.Job) []outcrop.Change {
	m := customModel(j)
	changes := []outcrop.Change{{Op: outcrop.OpCreate, Record: m.Record()}}
	for _, c := range j.Progress.Checkpoints {
		m := *m
		m.ID, m.Name = j.CheckpointID(c.Epoch), j.CheckpointName(c.Epoch)
		m.ARN = modelARN(j, m.ID)
		m.TrainingLoss, m.ValidationLosses = c.TrainingLoss, c.ValidationLosses
		changes = append(changes, outcrop.Change{Op: outcrop.OpCreate, Record: m.Record()})
	}
	return changes
}

func customModel(j *outcrop.Job) *outcrop.CustomModel {
	return &outcrop.CustomModel{
		Meta: outcrop.Meta{
			Kind: outcrop.KindCustomModel, Scope: j.Scope, ID: j.CustomModelID, ARN: modelARN(j, j.CustomModelID), Name: j.CustomModelName,
			Status: outcrop.ModelActive, Parent: j.Parent, Tags: j.CustomModelTags,
		},
		JobName: j.Name, JobARN: j.ARN,
		BaseModelID: j.BaseModelID, BaseModelARN: j.BaseModelARN, CustomizationType: j.CustomizationType,
		HyperParameters: j.HyperParameters, TrainingURI: j.TrainingURI, ValidationURIs: j.ValidationURIs, OutputURI: j.OutputURI,
		TrainingLoss: j.Progress.TrainingLoss, ValidationLosses: j.Progress.ValidationLosses,
		KMSKeyID: j.KMSKeyID, AdapterOf: adapterOf(j),
	}
}

// adapterOf returns the model that the files of j's model go beside, if they are adapters.
func adapterOf(j *outcrop.Job) string {
	if j.Train.Method != outcrop.MethodLoRA {
		return ""
	}
	return j.BaseModelID
}

// modelARN is the ARN of a model that j makes: the job's own, …/{base model}/{id}, with the
// model's kind and id.
func modelARN(j *outcrop.Job, id string) outcrop.ARN {
	p, _ := outcrop.ParseARN(string(j.ARN))
	base, _, _ := strings.Cut(p.Resource, "/")
	return j.Scope.ARN(outcrop.KindCustomModel, base+"/"+id)
}
