package train

import (
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
)

// Memory is what training takes, in bytes. What does not fit should be refused with these
// numbers rather than begun.
type Memory struct {
	Weights     int64 `json:"weights"`
	Gradients   int64 `json:"gradients"`
	Moments     int64 `json:"moments"`     // of AdamW, two for each trained weight
	Activations int64 `json:"activations"` // of the largest batch
	Packing     int64 `json:"packing"`     // copies that the products work on
}

// Total returns the sum.
func (m Memory) Total() int64 {
	return m.Weights + m.Gradients + m.Moments + m.Activations + m.Packing
}

// Measure returns the memory that training a model of config c takes with options o, the
// longest example being longest tokens. lora is nil when every weight is trained.
func Measure(c model.Config, lora *model.LoRA, exec nn.Exec, longest int, o Options) Memory {
	b := budget(longest, o)
	b.LoRA = lora
	m := c.Measure(exec, b)
	return Memory{
		Weights: int64(m.Weights), Gradients: int64(m.Gradients), Moments: momentBytes(c.TrainableParams(lora)),
		Activations: int64(m.Activations), Packing: packingBytes(c, b, exec),
	}
}

// budget is the largest batch of a run.
func budget(longest int, o Options) model.Budget {
	b := model.Budget{Tokens: o.MicroTokens, Targets: o.Largest.Targets, Longest: longest, Train: true, Recompute: o.Recompute}
	if o.Largest.Tokens > 0 {
		b.Tokens = min(b.Tokens, o.Largest.Tokens)
	}
	b.Tokens = max(b.Tokens, longest)
	return b
}

// momentBytes returns the memory of the moments of n trained numbers.
func momentBytes(n int) int64 { return 8 * int64(n) }

// packingBytes bounds the copies of matrices that the products keep: of each power of two one
// matrix, so twice the largest, which is the head's or an activation's, as the kernel keeps it.
func packingBytes(c model.Config, b model.Budget, exec nn.Exec) int64 {
	largest, size := max(c.Vocab*c.Hidden, b.Tokens*max(2*c.FFN, c.Hidden)), 4
	if exec.Kernel.BF16() {
		size = 2
	}
	return 2 * int64(size) * int64(largest)
}

// Batch is the size of a batch: its tokens, and how many of them have a target.
type Batch struct{ Tokens, Targets int }

// max returns a batch of the larger of each.
func (b Batch) max(o Batch) Batch { return Batch{max(b.Tokens, o.Tokens), max(b.Targets, o.Targets)} }

// LargestBatch returns the most tokens, and the most targets, that go through the model at a
// time when a run of steps takes its examples from source and evaluates sets, in batches of at
// most micro tokens.
func LargestBatch(source Source, steps, micro int, sets ...[]Example) (largest Batch) {
	for step := range steps {
		largest = largest.max(largestOf(source.Examples(step), micro))
	}
	for _, set := range sets {
		largest = largest.max(largestOf(set, micro))
	}
	return largest
}

// largestOf cuts examples as Trainer.batches does.
func largestOf(examples []Example, micro int) (largest Batch) {
	var b Batch
	for _, e := range examples {
		if b.Tokens > 0 && b.Tokens+len(e.Tokens) > micro {
			b = Batch{}
		}
		b.Tokens += len(e.Tokens)
		for _, t := range e.Targets {
			if t != model.Ignore {
				b.Targets++
			}
		}
		largest = largest.max(b)
	}
	return largest
}
