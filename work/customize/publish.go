package customize

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

// Publish implements work.Rules: the model and its checkpoints, which the worker has sealed, are
// verified and moved from the scratch directory to where models live, or copied where that is another
// file system.
func (r Rules) Publish(j *outcrop.Job, scratch string, res attempt.Result) error {
	if err := place(filepath.Join(scratch, attempt.ModelDir), r.ModelDir(j.CustomModelID), res.Manifest); err != nil {
		return err
	}
	for _, c := range res.Progress.Checkpoints {
		err := place(filepath.Join(scratch, attempt.EpochDir(c.Epoch)), r.ModelDir(j.CheckpointID(c.Epoch)), c.Manifest)
		if err != nil {
			return fmt.Errorf("epoch %d: %w", c.Epoch, err)
		}
	}
	return nil
}

// place moves a model. If that has been done before, it only verifies.
func place(from, to, digest string) error {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return verify(to, digest)
	}
	if err := verify(from, digest); err != nil {
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
	err := durable.Rename(from, to)
	if errors.Is(err, syscall.EXDEV) {
		err = copyModel(to, from)
	}
	return err
}

func verify(dir, digest string) error {
	if err := attempt.Verify(dir, digest); err != nil {
		return fmt.Errorf("%w: %w", work.ErrDamaged, err)
	}
	return nil
}

// copyModel copies a sealed directory, its manifest last. The original stays: the scratch directory
// goes when the job has ended, and a copy that is cut off is made again.
func copyModel(to, from string) error {
	if err := copyFiles(to, from); err != nil {
		return errors.Join(err, os.RemoveAll(to)) // half a model takes room, and is none
	}
	return durable.SyncDir(filepath.Dir(to))
}

func copyFiles(to, from string) error {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(from, path)
		switch {
		case errors.Join(err, relErr) != nil:
			return errors.Join(err, relErr)
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case rel == attempt.ManifestFile:
			return nil
		}
		return durable.CopyFile(filepath.Join(to, rel), path, 0o644)
	})
	if err != nil {
		return err
	}
	return durable.CopyFile(filepath.Join(to, attempt.ManifestFile), filepath.Join(from, attempt.ManifestFile), 0o644)
}

// Withdraw implements work.Rules.
func (r Rules) Withdraw(j *outcrop.Job) error {
	err := os.RemoveAll(r.ModelDir(j.CustomModelID))
	for _, e := range j.CheckpointEpochs() {
		err = errors.Join(err, os.RemoveAll(r.ModelDir(j.CheckpointID(e))))
	}
	return err
}

// Complete implements work.Rules: the models of the job become records.
func (Rules) Complete(j *outcrop.Job, _ attempt.Result) []outcrop.Change {
	j.OutputModelARN = modelARN(j, j.CustomModelID)
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
