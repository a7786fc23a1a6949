package customize

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work/attempt"
)

// epochPath is where the weights of an epoch's end are. There are never more than
// keepCheckpoints of them, and one.
func (r *run) epochPath(epoch int) string { return r.scratch(attempt.EpochDir(epoch)) }

// endOf returns the step that an epoch, from 1, ends with.
func (r *run) endOf(epoch int) int { return epoch * r.rows.StepsPerEpoch() }

// keepEpoch makes the weights as they are durable, if an epoch has ended and the job keeps some.
// It keeps one more than the job does, because the published step may be one of them.
func (r *run) keepEpoch() error {
	step := r.trainer.Steps()
	epoch := step / r.rows.StepsPerEpoch()
	if r.spec.KeepCheckpoints == 0 || step == 0 || step != r.endOf(epoch) {
		return nil
	}
	if err := r.keepWeights(r.epochPath(epoch)); err != nil {
		return fmt.Errorf("keep the weights of epoch %d: %w", epoch, err)
	}
	return os.RemoveAll(r.epochPath(epoch - r.spec.KeepCheckpoints - 1))
}

// keptEpochs returns the epochs whose ends are models of their own beside the published one: the
// newest that the job keeps. Like the published step they depend on the evaluations alone.
func (r *run) keptEpochs() (epochs []int) {
	for e := r.trainer.Steps() / r.rows.StepsPerEpoch(); e > 0 && len(epochs) < r.spec.KeepCheckpoints; e-- {
		if r.endOf(e) != r.progress.PublishedStep {
			epochs = append(epochs, e)
		}
	}
	slices.Reverse(epochs)
	return epochs
}

// finishEpochs makes models of the weights that were kept, and removes the others.
func (r *run) finishEpochs() error {
	kept := r.keptEpochs()
	for e := range r.rows.Epochs + 1 {
		if !slices.Contains(kept, e) {
			if err := os.RemoveAll(r.epochPath(e)); err != nil {
				return err
			}
		}
	}
	r.progress.Checkpoints = nil
	for _, e := range kept {
		dir := r.epochPath(e)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("the weights of epoch %d are lost: the next attempt begins anew", e), r.beginAgain())
		}
		if err := r.completeModel(dir); err != nil {
			return err
		}
		r.progress.Checkpoints = append(r.progress.Checkpoints, r.checkpointOf(e))
	}
	return nil
}

func (r *run) checkpointOf(epoch int) outcrop.Checkpoint {
	c := outcrop.Checkpoint{Epoch: epoch, Step: r.endOf(epoch)}
	loss := r.trainer.History()[c.Step-1].Loss
	c.TrainingLoss = &loss
	for _, e := range r.evaluations {
		if e.Step == c.Step {
			c.ValidationLosses = e.Losses
		}
	}
	return c
}
