package customize

import (
	"context"
	"errors"
	"fmt"
	"os"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/work/attempt"
)

// prepare makes examples of the data and loads the model and the newest checkpoint.
func (r *run) prepare(ctx context.Context) error {
	r.rows = &train.Rows{All: r.examples(r.data.Training), Seed: r.job.Train.Seed}
	if r.data.Documents {
		r.rows.Packs = pack(r.rows.All, r.rowLength())
	}
	for _, set := range r.data.Validation {
		r.validation = append(r.validation, r.examples(set))
	}
	var err error
	if r.wholeDir, err = r.wholeBase(); err != nil {
		return r.errUnusable(err)
	}
	w, err := newWorkload(r.wholeDir, r.Exec)
	if err != nil {
		return r.errUnusable(err)
	}
	w.merged = r.job.BaseDir != ""
	options, err := r.plan(w)
	if err != nil {
		return err
	}
	if err := r.loadModel(); err != nil {
		return r.errUnusable(err)
	}
	options.Between = func() error { r.attempt.Alive(); return ctx.Err() }
	if r.trainer, err = train.New(r.model, r.rows, r.longestRow, options); err != nil {
		return err
	}
	return r.restore()
}

// loadModel loads the base model, and adds what is trained in place of its weights.
func (r *run) loadModel() (err error) {
	adapters := lora(r.spec)
	if adapters == nil {
		r.model, err = model.Load(r.wholeDir, r.Exec)
		return err
	}
	adapters.Base = r.job.BaseModelID
	if r.model, err = model.LoadFrozen(r.wholeDir, r.Exec); err != nil {
		return err
	}
	return r.model.AddLoRA(*adapters)
}

func (r *run) errUnusable(err error) error {
	return &outcrop.Error{Code: outcrop.CodeModelError, Op: "load base model",
		Msg: fmt.Sprintf("The base model %s cannot be loaded: %v.", r.job.BaseModelID, err), Err: err}
}

// restore goes on from the newest checkpoint that is whole.
func (r *run) restore() error {
	dir := r.scratch(attempt.CheckpointsDir)
	damaged, err := r.trainer.Restore(dir)
	for _, d := range damaged {
		r.Log.Warn("checkpoint passed over", "error", d)
	}
	if err != nil {
		return err
	}
	ok, err := r.restoreEvaluations()
	if err != nil {
		return err
	}
	if !ok {
		if err := r.beginAgain(); err != nil {
			return err
		}
		return fmt.Errorf("the evaluations of the steps before %d are lost: the next attempt begins anew", r.trainer.Steps())
	}
	for _, h := range r.trainer.History() {
		r.progress.Tokens += int64(h.Tokens)
	}
	r.note()
	return nil
}

// beginAgain removes what earlier attempts have trained.
func (r *run) beginAgain() error {
	var err error
	for _, name := range []string{attempt.CheckpointsDir, evaluationsFile, bestDir, attempt.EpochsDir, mergedDir} {
		err = errors.Join(err, os.RemoveAll(r.scratch(name)))
	}
	return err
}
