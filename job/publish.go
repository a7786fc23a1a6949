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
	if err := w.place(j, res.Manifest); err != nil {
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
		j.OutputModelARN = customModelARN(j)
		return true, []outcrop.Change{{Op: outcrop.OpCreate, Record: w.customModel(j).Record()}}
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

// place moves the model from the scratch directory to where models live. If that has been
// done before, it only verifies.
func (w *watch) place(j *outcrop.Job, digest string) error {
	from, to := filepath.Join(w.scratch(j), attempt.ModelDir), w.modelDir(j)
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
// it anew, from the last checkpoint.
func (w *watch) discard(ctx context.Context, j *outcrop.Job, cause error) error {
	if err := w.awaitEnd(ctx, j); err != nil {
		return err
	}
	err := errors.Join(
		os.RemoveAll(w.modelDir(j)),
		os.RemoveAll(filepath.Join(w.scratch(j), attempt.ModelDir)),
		removeFile(filepath.Join(w.scratch(j), attempt.ResultFile)))
	if err != nil {
		return err
	}
	return w.retry(ctx, ending{code: outcrop.ExitSoftware, message: fmt.Sprintf("the finished model could not be published: %v", cause)})
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
	if err := os.RemoveAll(w.modelDir(j)); err != nil {
		return err
	}
	var e *outcrop.Error
	errors.As(cause, &e)
	return w.failed(ctx, sentences("The trained model could not be kept: "+e.Msg, "Create a new job with another customModelName."))
}

func (w *watch) customModel(j *outcrop.Job) *outcrop.CustomModel {
	return &outcrop.CustomModel{
		Meta: outcrop.Meta{
			Kind: outcrop.KindCustomModel, Scope: j.Scope, ID: j.CustomModelID, ARN: customModelARN(j), Name: j.CustomModelName,
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

// customModelARN is the ARN of the model that j makes: the job's own, …/{base model}/{id},
// with the model's kind and id.
func customModelARN(j *outcrop.Job) outcrop.ARN {
	p, _ := outcrop.ParseARN(string(j.ARN))
	base, _, _ := strings.Cut(p.Resource, "/")
	return j.Scope.ARN(outcrop.KindCustomModel, base+"/"+j.CustomModelID)
}
