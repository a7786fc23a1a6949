package recipe

import (
	"math"
	"slices"

	"outcrop.dev/outcrop"
)

// Facts is what Resolve chooses by.
type Facts struct {
	Rows             int // of training data
	Tokens           int64
	ValidationTokens int64 // 0: there are no validation data
	Longest          int   // tokens of the longest row
	Params           int64 // weights of the base model
	MemoryBytes      int64 // what training may take; 0: not known
	// Need returns the memory that training takes, in bytes.
	Need func(outcrop.TrainSpec) int64
}

// Resolve returns t with a value for everything that is Open. It is a pure function: the same
// spec and facts choose the same values (docs/hyperparameters.md has the rules).
func Resolve(t outcrop.TrainSpec, f Facts) outcrop.TrainSpec {
	for _, h := range fields {
		if isOpen(&t, h.name) {
			h.rule(&t, f)
		}
	}
	t.Open = nil
	return t
}

// isOpen reports whether a hyperparameter is left to us. A rule takes one that is not as it is.
func isOpen(t *spec, name string) bool { return slices.Contains(t.Open, name) }

// fits reports whether training as t does leaves a tenth of the memory: what is available
// changes while a job runs.
func (f Facts) fits(t spec) bool {
	return f.MemoryBytes == 0 || f.Need == nil || f.Need(t) <= f.MemoryBytes/10*9
}

// autoMethod trains all weights where that fits, if need be in the least memory.
func autoMethod(t *spec, f Facts) {
	least := *t
	least.Method = outcrop.MethodFull
	if isOpen(t, "activationCheckpointing") {
		least.Recompute = true
	}
	if isOpen(t, "microBatchTokens") {
		least.MicroTokens = max(MicroTokensLow, f.Longest)
	}
	if t.Method = outcrop.MethodFull; !f.fits(least) {
		t.Method = outcrop.MethodLoRA
	}
}

// autoEpochs lets a small job see as many rows as one of a thousand sees in three epochs, and
// a very large one go through its data once.
func autoEpochs(t *spec, f Facts) {
	const usual, rowsSeen, rowsMost = 3, 3000, 100_000
	rows := max(f.Rows, 1)
	switch {
	case usual*rows < rowsSeen:
		t.Epochs = min((rowsSeen+rows-1)/rows, epochsMax)
	case usual*rows > rowsMost:
		t.Epochs = max(rowsMost/rows, 1)
	default:
		t.Epochs = usual
	}
}

// autoBatchSize is the largest power of two that leaves enough steps to learn in.
func autoBatchSize(t *spec, f Facts) {
	const stepsWanted = 200
	for t.BatchSize = batchSizeMax; t.BatchSize > 1 && t.Steps(f.Rows) < stepsWanted; {
		t.BatchSize /= 2
	}
}

// The rate of autoLearningRate at its reference, and how much higher adapters take it
// (Schulman et al. 2025, "LoRA Without Regret"). It falls with the root of the model's size, and
// rises with the root of the batch.
const (
	rateReference   = 5e-4
	rateParams      = 7e6
	rateBatch       = 16
	rateOfAdapters  = 10
	rateLow         = 1e-6
	rateHigh        = 1e-3
	rateHighAdapter = 2e-3
)

func autoLearningRate(t *spec, f Facts) {
	rate, high := rateReference*math.Sqrt(rateParams/float64(max(f.Params, 1)))*math.Sqrt(float64(t.BatchSize)/rateBatch), rateHigh
	if t.Method == outcrop.MethodLoRA {
		rate, high = rate*rateOfAdapters, rateHighAdapter
	}
	t.LearningRate = twoDigits(min(max(rate, rateLow), high))
}

// twoDigits rounds x > 0 to two significant digits: more would promise what no rule knows.
func twoDigits(x float64) float64 {
	unit := math.Pow(10, 1-math.Floor(math.Log10(x))) // divided by, because powers above 1 are exact
	return math.Round(x*unit) / unit
}

func autoRateFactor(t *spec, _ Facts) { t.RateFactor = 1 }

// autoWarmup is 5 % of the steps.
func autoWarmup(t *spec, f Facts) {
	const part = 20
	t.WarmupSteps = min((t.Steps(f.Rows)+part-1)/part, warmupMax)
}

// autoSchedule is linear decay to zero: the best one for budgets that are known beforehand
// (Bergsma et al. 2025, arXiv:2502.15938).
func autoSchedule(t *spec, _ Facts) { t.Schedule = outcrop.ScheduleLinear }

// autoWeightDecay lets adapters be: they are small as it is.
func autoWeightDecay(t *spec, _ Facts) {
	if t.WeightDecay = 0.01; t.Method == outcrop.MethodLoRA {
		t.WeightDecay = 0
	}
}

func autoClip(t *spec, _ Facts) { t.GradientClip = 1 }

// autoDither is for masters, which adapters leave frozen.
func autoDither(t *spec, _ Facts) { t.Dither = t.Method == outcrop.MethodFull }

// autoRank grows with what there is to learn.
func autoRank(t *spec, f Facts) {
	switch {
	case f.Rows < 1000:
		t.LoRA.Rank = 8
	case f.Rows < 10_000:
		t.LoRA.Rank = 16
	default:
		t.LoRA.Rank = 32
	}
}

// autoAlpha has the adapters scaled by 2, which the rate is meant for, however they are scaled by
// their rank.
func autoAlpha(t *spec, _ Facts) {
	if t.LoRA.Alpha = float64(2 * t.LoRA.Rank); t.LoRA.RSLoRA {
		t.LoRA.Alpha = 2 * math.Sqrt(float64(t.LoRA.Rank))
	}
}

// autoDropout is for few rows, which are seen many times.
func autoDropout(t *spec, f Facts) {
	if t.LoRA.Dropout = 0; f.Rows < 1000 {
		t.LoRA.Dropout = 0.05
	}
}

func autoTargets(t *spec, _ Facts) { t.LoRA.Targets = nil }

// autoRSLoRA is for ranks at which alpha/rank would make adapters too weak, if alpha is given.
func autoRSLoRA(t *spec, _ Facts) { t.LoRA.RSLoRA = t.LoRA.Rank > 64 }

func autoSequence(t *spec, _ Facts) { t.MaxSequenceLength = 0 }

// MicroTokensLow is the fewest tokens at a time that are worth choosing: computing activations
// again costs less than products of fewer rows do.
const MicroTokensLow = 512

// autoMicroTokens is the largest that fits, in halves of the usual: without Recompute, unless that
// is given.
func autoMicroTokens(t *spec, f Facts) {
	plain := *t
	if isOpen(t, "activationCheckpointing") {
		plain.Recompute = false
	}
	for plain.MicroTokens = microTokensUsual; plain.MicroTokens > MicroTokensLow && !f.fits(plain); {
		plain.MicroTokens /= 2
	}
	t.MicroTokens = plain.MicroTokens
}

func autoRecompute(t *spec, f Facts) {
	plain := *t
	plain.Recompute = false
	t.Recompute = !f.fits(plain)
}

const (
	// evaluationsWanted is how many times a run is evaluated after the base model, if that is cheap.
	evaluationsWanted = 8
	// evaluationShare bounds the part of the training's arithmetic that evaluations may take.
	evaluationShare = 0.15
	// forwardShare is the cost of a token that is only evaluated: a forward pass without its
	// backward pass, which costs twice as much.
	forwardShare = 1.0 / 3
	// forwardShareOfAdapters is that where the gradients of the weights, half of it, are not taken.
	forwardShareOfAdapters = 1.0 / 2
)

// autoInterval evaluates eight times, or fewer if that costs too much.
func autoInterval(t *spec, f Facts) {
	wanted := float64(evaluationsWanted)
	share := forwardShare
	if t.Method == outcrop.MethodLoRA {
		share = forwardShareOfAdapters
	}
	perEvaluation := float64(f.ValidationTokens) * share
	if t.Best == outcrop.BestExactMatch {
		perEvaluation *= 2 // a pass of its own
	}
	if perEvaluation > 0 {
		wanted = min(wanted, float64(f.Tokens)*float64(t.Epochs)*evaluationShare/perEvaluation)
	}
	t.EvaluationInterval = max(int(math.Ceil(float64(t.Steps(f.Rows))/max(wanted, 1))), 1)
}

// autoPatience ends jobs early where there is something to tell it by.
func autoPatience(t *spec, f Facts) {
	if t.Patience = 0; f.ValidationTokens > 0 {
		t.Patience = 3
	}
}

func autoMinGain(t *spec, _ Facts) { t.MinGain = 0.001 }

// autoBest publishes the last step, as Bedrock does, unless the job may end because it got worse.
func autoBest(t *spec, _ Facts) {
	if t.Best = outcrop.BestLast; t.Patience > 0 {
		t.Best = outcrop.BestValidationLoss
	}
}

// autoKeep keeps none: each is a whole model on disk.
func autoKeep(t *spec, _ Facts) { t.KeepCheckpoints = 0 }
