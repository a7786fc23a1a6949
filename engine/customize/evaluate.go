package customize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/internal/durable"
)

// evaluationsFile keeps the evaluations in the scratch directory. It is written before the
// checkpoint of a step is, so that a restored step has all evaluations up to it.
const evaluationsFile = "evaluations.json"

// evaluationRows is after how many rows a run that is evaluated listens to commands.
const evaluationRows = 128

// evaluation is what the validation data say after some steps.
type evaluation struct {
	Step   int       `json:"step"`            // steps finished: 0 is the base model
	Losses []float64 `json:"losses"`          // of each validator
	Loss   float64   `json:"loss"`            // over the tokens of all of them
	Exact  *float64  `json:"exact,omitempty"` // the share of all rows that are answered exactly, if it was asked for
}

// evaluationDue tells whether the model must be evaluated before the next step: before the
// first, after every interval, and after the last.
func (r *run) evaluationDue() bool {
	step := r.trainer.Steps()
	if len(r.validation) == 0 || r.evaluated(step) || r.endsEarly() {
		return false
	}
	return step%r.spec.EvaluationInterval == 0 || r.trainer.Done()
}

func (r *run) evaluated(step int) bool {
	n := len(r.evaluations)
	return n > 0 && r.evaluations[n-1].Step == step
}

// evaluate measures the validation losses and makes them durable. Weights that are the best so
// far are made durable before: what the evaluations name is always there.
func (r *run) evaluate(ctx context.Context) error {
	e, err := r.measure(ctx)
	if err != nil {
		return err
	}
	all := append(slices.Clip(r.evaluations), e)
	if r.selects() && best(all, r.spec.Best) == len(all)-1 {
		if err := r.keepBest(e.Step); err != nil {
			return fmt.Errorf("keep the weights of step %d: %w", e.Step, err)
		}
	}
	r.evaluations = all
	b, err := json.Marshal(r.evaluations)
	if err != nil {
		return err
	}
	return durable.WriteBytes(r.scratch(evaluationsFile), 0o600, b)
}

func (r *run) measure(ctx context.Context) (evaluation, error) {
	e := evaluation{Step: r.trainer.Steps()}
	var total model.Loss
	var exact, rows int
	for _, set := range r.validation {
		var loss model.Loss
		for part := range slices.Chunk(set, evaluationRows) {
			l, n, err := r.measurePart(part)
			if err != nil {
				return e, err
			}
			loss.Add(l)
			exact, rows = exact+n, rows+len(part)
			if err := r.obeyCommand(ctx); err != nil {
				return e, err
			}
		}
		e.Losses = append(e.Losses, loss.Mean())
		total.Add(loss)
	}
	if e.Loss = total.Mean(); r.spec.Best == outcrop.BestExactMatch {
		share := float64(exact) / float64(max(rows, 1))
		e.Exact = &share
	}
	return e, nil
}

// measurePart returns the loss of some rows and, if that is asked for, how many of them are
// answered exactly.
func (r *run) measurePart(part []train.Example) (loss model.Loss, exact int, err error) {
	if loss, err = r.trainer.Evaluate(part); err == nil && r.spec.Best == outcrop.BestExactMatch {
		exact, err = r.trainer.Exact(part)
	}
	return loss, exact, err
}

// restoreEvaluations reads the evaluations up to the restored step. One that is missing
// cannot be made up for, because the weights have moved on: then ok is false.
func (r *run) restoreEvaluations() (ok bool, err error) {
	b, err := os.ReadFile(r.scratch(evaluationsFile))
	if errors.Is(err, fs.ErrNotExist) {
		b, err = []byte("[]"), nil
	}
	if err != nil {
		return false, fmt.Errorf("read evaluations: %w", err)
	}
	var all []evaluation
	if json.Unmarshal(b, &all) != nil {
		all = nil
	}
	step := r.trainer.Steps()
	for _, e := range all {
		if e.Step <= step && len(e.Losses) == len(r.validation) {
			r.evaluations = append(r.evaluations, e)
		}
	}
	if len(r.validation) == 0 {
		return true, nil
	}
	interval := r.spec.EvaluationInterval
	due := (step + interval - 1) / interval // at 0, interval, ... below step
	have := 0
	for _, e := range r.evaluations {
		if e.Step%interval == 0 && e.Step < step {
			have++
		}
	}
	return have == due, nil
}
