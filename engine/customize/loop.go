package customize

import (
	"context"
	"time"

	"outcrop.dev/outcrop/work/attempt"
)

const (
	// metricsEvery is how often growing metrics are stored again; readers are promised ten
	// seconds.
	metricsEvery = 5 * time.Second
	// checkpointEvery is the least time between two checkpoints, and checkpointShare the
	// largest part of the time that they may take: what a kill costs is at most a few
	// seconds of a small model's training, and of a large one twenty times a save.
	checkpointEvery = 5 * time.Second
	checkpointShare = 20
)

// train runs the steps that are left, evaluating, saving and reporting as it goes.
func (r *run) train(ctx context.Context) error {
	r.began, r.beganStep = r.Now(), r.trainer.Steps()
	r.nextSave = r.began.Add(checkpointEvery)
	for {
		if r.evaluationDue() {
			if err := r.evaluate(ctx); err != nil {
				return err
			}
		}
		if err := r.keepEpoch(); err != nil {
			return err
		}
		r.note()
		r.metricsIfDue()
		if r.trainer.Done() || r.endsEarly() {
			return nil
		}
		if err := r.obeyCommand(ctx); err != nil {
			return err
		}
		if err := r.saveIfDue(); err != nil {
			return err
		}
		if err := r.step(); err != nil {
			return err
		}
	}
}

func (r *run) step() error {
	start := r.Now()
	result, err := r.trainer.Step()
	if err != nil {
		return err
	}
	r.stepping += r.Now().Sub(start)
	r.stepTokens += int64(result.Tokens)
	r.progress.Tokens += int64(result.Tokens)
	return nil
}

// note brings the progress up to date.
func (r *run) note() {
	p, step := &r.progress, r.trainer.Steps()
	p.Step, p.Epoch = step, min(step/r.rows.StepsPerEpoch(), r.rows.Epochs)
	if h := r.trainer.History(); len(h) > 0 {
		loss := h[len(h)-1].Loss
		p.TrainingLoss, r.firstLoss = &loss, h[0].Loss
	}
	if n := len(r.evaluations); n > 0 {
		p.ValidationLosses = r.evaluations[n-1].Losses
	}
	r.noteRate()
}

// noteRate says how fast the training goes and when it ends, once this attempt has done a step.
// What earlier attempts did tells nothing of the machine that this one has.
func (r *run) noteRate() {
	p, step := &r.progress, r.trainer.Steps()
	if r.stepping <= 0 {
		return
	}
	p.TokensPerSecond = float64(r.stepTokens) / r.stepping.Seconds()
	left := p.Steps - step
	if r.endsEarly() {
		left = 0
	}
	p.ETASeconds = r.Now().Sub(r.began).Seconds() / float64(step-r.beganStep) * float64(left)
}

func (r *run) metricsIfDue() {
	if now := r.Now(); !now.Before(r.nextPut) {
		r.putMetrics()
		r.nextPut = now.Add(metricsEvery)
	}
}

func (r *run) saveIfDue() error {
	if r.Now().Before(r.nextSave) {
		return nil
	}
	return r.save()
}

// save writes a checkpoint. When the next one is due depends on how long it took.
func (r *run) save() error {
	start := r.Now()
	if err := r.trainer.Save(r.scratch(attempt.CheckpointsDir)); err != nil {
		return err
	}
	end := r.Now()
	r.nextSave = end.Add(max(checkpointEvery, checkpointShare*end.Sub(start)))
	return nil
}
