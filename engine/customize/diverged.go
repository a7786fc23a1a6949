package customize

import (
	"context"
	"errors"
	"math"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/work/attempt"
)

const (
	// ruinedFactor is by how much a loss must exceed both the base model's and that of guessing
	// among all tokens alike before the run counts as diverged: no noise of a batch does that,
	// and no model that does is of use.
	ruinedFactor = 2
	// ruinedSteps is over how many of the last steps the training loss is averaged for that.
	ruinedSteps = 10
)

// trainOrTell trains. A run that its owner stops, or that diverges, leaves the metrics up to
// there: they are what the owner has of it.
func (r *run) trainOrTell(ctx context.Context) error {
	err := r.train(ctx)
	if err == nil {
		err = r.checkRuined()
	}
	var diverged *train.Diverged
	if errors.Is(err, ErrStopped) || errors.As(err, &diverged) || attemptCode(err) == attempt.ExitDiverged {
		r.putMetrics()
		return r.flushThen(ctx, err)
	}
	return err
}

// attemptCode is the exit code that an error decides, 0 if it decides none.
func attemptCode(err error) int {
	var own *exitError
	if errors.As(err, &own) {
		return own.code
	}
	return 0
}

// checkRuined is the error of a finished run whose numbers are finite and whose model is of no
// use: too high a learning rate does not always end in NaN. What came after the step whose
// weights are published says nothing of them.
func (r *run) checkRuined() error {
	guessing := math.Log(float64(r.model.Config.Vocab))
	h := r.trainer.History()[:r.published()]
	if len(h) == 0 {
		return nil
	}
	if err := r.checkRisen("training", h[0].Loss, meanLoss(h[max(0, len(h)-ruinedSteps):]), guessing); err != nil {
		return err
	}
	for i := range r.validation {
		first, last := r.evaluations[0].Losses[i], r.publishedEvaluation().Losses[i]
		if err := r.checkRisen("validation", first, last, guessing); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) checkRisen(what string, first, last, guessing float64) error {
	if !(last > ruinedFactor*max(first, guessing)) {
		return nil
	}
	return &exitError{attempt.ExitDiverged, outcrop.Errorf(outcrop.CodeModelError,
		"The training diverged: the %s loss rose from %.2f to %.2f, and guessing has %.2f. "+
			"Use a smaller learningRate (it was %g for this model), or more learningRateWarmupSteps.",
		what, first, last, guessing, r.spec.PeakRate())}
}

// meanLoss is the loss of some steps, over their trained tokens.
func meanLoss(steps []train.Result) float64 {
	var sum, tokens float64
	for _, s := range steps {
		sum += s.Loss * float64(s.Trained)
		tokens += float64(s.Trained)
	}
	return sum / max(tokens, 1)
}
