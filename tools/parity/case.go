package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/train"
)

// The names inside the directory of a case; reference.py and parity.py know them too.
const (
	caseFile    = "case.json"
	modelDir    = "model"    // as save_pretrained wrote it
	adapterDir  = "adapter"  // as peft wrote it, if the case has one
	resultsDir  = "got"      // and a directory for each kernel
	gradDir     = "grad"     // a model (or adapter) whose weights are the gradients
	stepDir     = "step"     // the model (or adapter) after the steps of AdamW
	savedDir    = "saved"    // the model (or adapter), saved again
	mergedDir   = "merged"   // the model with the adapter in its weights
	resultsFile = "got.json" // a results
)

// task is what case.json asks for.
type task struct {
	Documents []struct {
		Tokens  []int32 `json:"tokens"`
		Targets []int32 `json:"targets"`
	} `json:"documents"`
	Adapter bool `json:"adapter"` // is there, and what is trained
	Train   bool `json:"train"`   // gradients and steps too
	AdamW   struct {
		LR          float64 `json:"lr"`
		Beta1       float64 `json:"beta1"`
		Beta2       float64 `json:"beta2"`
		Eps         float64 `json:"eps"`
		WeightDecay float64 `json:"weight_decay"`
		Clip        float64 `json:"clip"`
		Steps       int     `json:"steps"`
	} `json:"adamw"`
	Prompt   []int32 `json:"prompt"`
	Generate int     `json:"generate"`
}

// results are the numbers that got.json holds.
type results struct {
	Loss   float64   `json:"loss"`
	Losses []float64 `json:"losses,omitempty"` // before each step
	Tokens []int32   `json:"tokens"`           // generated
}

func readTask(dir string) (t task, err error) {
	b, err := os.ReadFile(filepath.Join(dir, caseFile))
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("%s: %w", caseFile, err)
	}
	return t, nil
}

// batch returns all documents packed.
func (t *task) batch() *model.Batch {
	b := &model.Batch{}
	for _, d := range t.Documents {
		b.Add(d.Tokens, d.Targets)
	}
	return b
}

// longest returns the number of tokens of the longest document.
func (t *task) longest() (n int) {
	for _, d := range t.Documents {
		n = max(n, len(d.Tokens))
	}
	return n
}

// examples returns the documents as a trainer takes them, all in every step.
func (t *task) examples() (r train.Repeat) {
	for _, d := range t.Documents {
		r = append(r, train.Example{Tokens: d.Tokens, Targets: d.Targets})
	}
	return r
}

func (t *task) options() train.Options {
	a := t.AdamW
	return train.Options{
		Steps: a.Steps, LearningRate: a.LR, Schedule: func(int) float64 { return 1 },
		Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps, WeightDecay: a.WeightDecay, Clip: a.Clip, MicroTokens: len(t.batch().Tokens),
	}
}
