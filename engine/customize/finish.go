package customize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/work/attempt"
)

// carried are the files of a base model that a tuned one keeps as they are: it must be asked
// in the form that it was taught.
var carried = slices.Concat([]string{
	tokenizer.File, model.GenerationFile,
}, chattemplate.Files, outcrop.LicenceFiles)

// finish writes the model, proves that serving computes what training computed, and stores
// the artefacts, the manifest last. It may be cut off and done again.
func (r *run) finish(ctx context.Context) error {
	if err := r.save(); err != nil {
		return err
	}
	r.settlePublished()
	r.putMetrics()
	r.putLater(trainingReportKey, jsonType, r.trainingReport())
	dir := r.scratch(attempt.ModelDir)
	if err := r.writeModel(dir); err != nil {
		return fmt.Errorf("write the model: %w", err)
	}
	if err := r.obeyCommand(ctx); err != nil {
		return err
	}
	p, err := r.proveParity(dir)
	if err != nil {
		return err
	}
	r.putLater(parityKey, jsonType, p.json())
	card := r.card(p)
	if err := durable.WriteBytes(filepath.Join(dir, cardFile), 0o644, card); err != nil {
		return err
	}
	if err := r.putModel(ctx, dir); err != nil {
		return err
	}
	if err := r.putManifest(); err != nil {
		return err
	}
	if err := r.attempt.Flush(ctx); err != nil {
		return fmt.Errorf("store artefacts: %w", err)
	}
	return nil
}

// settlePublished notes which step is published, and its losses.
func (r *run) settlePublished() {
	p := &r.progress
	p.PublishedStep = r.published()
	if h := r.trainer.History(); p.PublishedStep > 0 {
		loss := h[p.PublishedStep-1].Loss
		p.TrainingLoss = &loss
	}
	if len(r.evaluations) > 0 {
		p.ValidationLosses = r.publishedEvaluation().Losses
	}
}

// usedSpec is what the job was trained with, and nothing that depends on the machine: whether
// activations were computed again changes no result.
func (r *run) usedSpec() outcrop.TrainSpec {
	t := r.spec
	t.Recompute = r.job.Train.Recompute
	return t
}

// writeModel saves the weights, in the base model's type, with the files that it carries, and
// the models of the epochs that are kept. The base model is looked at last: all that went into
// the model must be of one.
func (r *run) writeModel(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := r.writeWeights(dir); err != nil {
		return err
	}
	if err := r.completeModel(dir); err != nil {
		return err
	}
	if err := r.finishEpochs(); err != nil {
		return err
	}
	return r.checkBase()
}

// completeModel makes a model of a directory of weights.
func (r *run) completeModel(dir string) error {
	if r.spec.Method == outcrop.MethodLoRA {
		if err := r.writeBase(dir); err != nil {
			return err
		}
	}
	return copyCarried(dir, r.job.ModelDir)
}

// writeBase says which model the adapters belong to.
func (r *run) writeBase(dir string) error {
	digest, err := model.WeightsDigest(r.wholeDir)
	if err != nil {
		return err
	}
	return model.Base{ModelID: r.job.BaseModelID, SHA256: digest}.Write(dir)
}

// writeWeights writes the weights of the published step.
func (r *run) writeWeights(dir string) error {
	step := r.progress.PublishedStep
	if step == r.trainer.Steps() {
		return r.saveWeights(dir)
	}
	from := r.bestPath(step)
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("the weights of step %d, the best, are lost: the next attempt begins anew", step), r.beginAgain())
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := durable.CopyFile(filepath.Join(dir, e.Name()), filepath.Join(from, e.Name()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// finished is the model in dir as it is loaded.
func (r *run) finished(dir string) onDisk {
	if r.spec.Method == outcrop.MethodLoRA {
		return onDisk{base: r.wholeDir, adapter: dir}
	}
	return onDisk{base: dir}
}

// proveParity frees the training's memory and checks the model as it lies on disk.
func (r *run) proveParity(dir string) (parity, error) {
	examples := r.rows.All
	if len(r.validation) > 0 {
		examples = r.validation[0]
	}
	if r.data.Documents { // of which every token is trained: serving would take them one by one
		examples = split(examples[:min(len(examples), parityRows)], parityTokens)
	}
	r.closeModel()
	p, err := measureParity(r.finished(dir), r.Exec, parityExamples(examples), r.data.Template.EndOfText(), r.attempt.Alive)
	if err != nil {
		return parity{}, fmt.Errorf("check the finished model: %w", err)
	}
	if !p.holds() {
		return parity{}, outcrop.Errorf(outcrop.CodeModelError,
			"The finished model was not published, because serving does not compute what training computed: the loss is %.6f by training and %.6f by serving. "+
				"This is a fault of Outcrop or of this machine: run `outcrop doctor`, and report it with the job's parity.json.", p.TrainingLoss, p.ServingLoss)
	}
	return p, nil
}
