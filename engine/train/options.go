package train

import (
	"fmt"
	"math"
)

// Options say how to train.
type Options struct {
	Steps        int
	LearningRate float64 // the peak
	Schedule     Schedule
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64 // of matrices; norms do not decay
	Clip         float64 // the largest norm of the gradient
	// MicroTokens is how many tokens go through the model at a time: memory grows with it. A
	// step of more is cut into several batches. At least the longest example.
	MicroTokens int
	// Largest is the largest batch that there will be, if that is known (LargestBatch tells):
	// memory is planned for no more. The zero value is MicroTokens tokens, all with a target.
	Largest Batch
	// Recompute keeps fewer activations and computes them again: less memory, more time, the same bits.
	Recompute bool
	// Between is called after each batch, if it is not nil. Its error ends the step or evaluation, which
	// then has changed nothing.
	Between func() error
}

// microTokens is enough for the products to be efficient, and few enough that what one layer
// hands to the next is still in a cache: 8,192 take eight times the memory, and are no faster
// (`outcrop bench train`).
const microTokens = 1024

// FineTune returns the options of fine-tuning: linear warmup and decay, AdamW as usual.
func FineTune(steps int, rate float64, warmup int) Options {
	return Options{
		Steps: steps, LearningRate: rate, Schedule: Linear(min(warmup, steps), steps),
		Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01, Clip: 1, MicroTokens: microTokens,
	}
}

// Pretrain returns the options of pre-training: warmup over 2 % of the steps, a plateau,
// and a linear decay over the last 30 %.
func Pretrain(steps int, rate float64) Options {
	return Options{
		Steps: steps, LearningRate: rate, Schedule: WSD(max(steps/50, 1), steps*3/10, steps),
		Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Clip: 1, MicroTokens: microTokens,
	}
}

func (o Options) check() error {
	switch {
	case o.Steps < 0 || o.Schedule == nil:
		return fmt.Errorf("train: %d steps or no schedule", o.Steps)
	case !(o.LearningRate >= 0) || math.IsInf(o.LearningRate, 0):
		return fmt.Errorf("train: learning rate %g", o.LearningRate)
	case !(o.Beta1 >= 0 && o.Beta1 < 1 && o.Beta2 >= 0 && o.Beta2 < 1 && o.Eps > 0 && o.WeightDecay >= 0 && o.Clip > 0):
		return fmt.Errorf("train: the numbers of AdamW are out of range: %+v", o)
	case o.MicroTokens < 1 || o.Largest.Tokens < 0 || o.Largest.Targets < 0:
		return fmt.Errorf("train: batches of %d tokens, the largest being %+v", o.MicroTokens, o.Largest)
	}
	return nil
}
