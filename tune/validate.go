package tune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/model"
	"outcrop.dev/outcrop/train"
)

// evaluationsFile keeps the evaluations in the scratch directory. It is written before the
// checkpoint of a step is, so that a restored step has all evaluations up to it.
const evaluationsFile = "evaluations.json"

const (
	// evaluationsWanted is how many times a run is evaluated after the base model, if that is cheap.
	evaluationsWanted = 8
	// evaluationShare bounds the part of the training's arithmetic that evaluations may take.
	evaluationShare = 0.15
	// forwardShare is the cost of a token that is only evaluated: a forward pass without its
	// backward pass, which costs twice as much.
	forwardShare = 1.0 / 3
	// evaluationRows is after how many rows a run that is evaluated listens to commands.
	evaluationRows = 128
)

// interval returns after how many steps the model is evaluated. It depends on the data alone.
func interval(rows *train.Rows, validation [][]train.Example) int {
	var perEvaluation, trained float64
	for _, set := range validation {
		perEvaluation += float64(tokensOf(set)) * forwardShare
	}
	trained = float64(tokensOf(rows.All)) * float64(rows.Epochs)
	wanted := float64(evaluationsWanted)
	if perEvaluation > 0 {
		wanted = min(wanted, trained*evaluationShare/perEvaluation)
	}
	return int(math.Ceil(float64(rows.Steps()) / max(wanted, 1)))
}

func tokensOf(examples []train.Example) (n int) {
	for _, e := range examples {
		n += len(e.Tokens)
	}
	return n
}

// evaluationDue tells whether the model must be evaluated before the next step: before the
// first, after every interval, and after the last.
func (r *run) evaluationDue() bool {
	step := r.trainer.Steps()
	if len(r.validation) == 0 || r.evaluated(step) {
		return false
	}
	return step%r.interval == 0 || r.trainer.Done()
}

func (r *run) evaluated(step int) bool {
	n := len(r.evaluations)
	return n > 0 && r.evaluations[n-1].Step == step
}

// evaluate measures the validation losses and makes them durable.
func (r *run) evaluate(ctx context.Context) error {
	e := evaluation{Step: r.trainer.Steps()}
	for _, set := range r.validation {
		var loss model.Loss
		for part := range slices.Chunk(set, evaluationRows) {
			l, err := r.trainer.Evaluate(part)
			if err != nil {
				return err
			}
			loss.Add(l)
			if err := r.obey(ctx); err != nil {
				return err
			}
		}
		e.Losses = append(e.Losses, loss.Mean())
	}
	r.evaluations = append(r.evaluations, e)
	b, err := json.Marshal(r.evaluations)
	if err != nil {
		return err
	}
	return durable.WriteBytes(filepath.Join(r.job.ScratchDir, evaluationsFile), 0o600, b)
}

// restoreEvaluations reads the evaluations up to the restored step. One that is missing
// cannot be made up for, because the weights have moved on: then ok is false.
func (r *run) restoreEvaluations() (ok bool, err error) {
	b, err := os.ReadFile(filepath.Join(r.job.ScratchDir, evaluationsFile))
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
	due := (step + r.interval - 1) / r.interval // at 0, interval, ... below step
	have := 0
	for _, e := range r.evaluations {
		if e.Step%r.interval == 0 && e.Step < step {
			have++
		}
	}
	return have == due, nil
}
