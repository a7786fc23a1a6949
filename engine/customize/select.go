package customize

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/durable"
)

// bestDir holds, in the scratch directory, the weights of the best step so far, in a directory
// named by the step. Only the newest is kept: a run that was cut off and goes on from before it
// comes to the same step again, with the same bits, and finds it better again.
const bestDir = "best"

// best returns the index of the evaluation whose weights are published, of several equal ones
// the first; -1 if there is none. The base model is never the best: it has not been tuned.
func best(evaluations []evaluation, by outcrop.Selection) int {
	at := -1
	for i, e := range evaluations {
		if e.Step > 0 && (at < 0 || better(e, evaluations[at], by)) {
			at = i
		}
	}
	return at
}

func better(a, b evaluation, by outcrop.Selection) bool {
	switch {
	case by == outcrop.BestLast:
		return true
	case by == outcrop.BestExactMatch && *a.Exact != *b.Exact:
		return *a.Exact > *b.Exact
	}
	return a.Loss < b.Loss
}

// endsEarly reports whether the last patience evaluations have each failed to lower the
// validation loss by more than gain below what it was at its lowest before them. It depends on
// the evaluations alone, so that a run that goes on after it was cut off ends at the same step.
func endsEarly(evaluations []evaluation, patience int, gain float64) bool {
	lowest, without := math.Inf(1), 0
	for _, e := range evaluations {
		switch {
		case e.Step == 0:
		case e.Loss < lowest-gain:
			lowest, without = e.Loss, 0
		default:
			without++
		}
	}
	return patience > 0 && without >= patience
}

func (r *run) endsEarly() bool { return endsEarly(r.evaluations, r.spec.Patience, r.spec.MinGain) }

// selects reports whether another step than the last may be published.
func (r *run) selects() bool { return r.spec.Best != outcrop.BestLast && len(r.validation) > 0 }

// published is the step whose weights the job publishes, as far as it is known now.
func (r *run) published() int {
	if i := best(r.evaluations, r.spec.Best); r.selects() && i >= 0 {
		return r.evaluations[i].Step
	}
	return r.trainer.Steps()
}

// publishedEvaluation is that of the published step, or the newest before there is one.
func (r *run) publishedEvaluation() evaluation {
	if i := best(r.evaluations, r.spec.Best); r.selects() && i >= 0 {
		return r.evaluations[i]
	}
	return r.evaluations[len(r.evaluations)-1]
}

func (r *run) bestPath(step int) string {
	return filepath.Join(r.job.ScratchDir, bestDir, fmt.Sprintf("step-%08d", step))
}

// keepBest makes the weights as they are durable, as those of the best step.
func (r *run) keepBest(step int) error {
	root, dir := r.scratch(bestDir), r.bestPath(step)
	if err := r.keepWeights(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(dir) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(root, e.Name())))
		}
	}
	return err
}

// keepWeights writes the weights as they are into dir, which is there only when they are whole.
func (r *run) keepWeights(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err // an earlier attempt has written the same
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return err
	}
	if err := r.saveWeights(part); err != nil {
		return err
	}
	return durable.Rename(part, dir)
}

// saveWeights writes what was trained, as it is: a whole model, or its adapters.
func (r *run) saveWeights(dir string) error {
	if r.spec.Method == outcrop.MethodLoRA {
		return r.model.SaveAdapter(dir)
	}
	return r.model.Save(dir)
}
