package outcrop

import (
	"math"
	"slices"
)

// TrainFacts is what the hyperparameters that are left to us are chosen by.
type TrainFacts struct {
	Rows             int // of training data
	Tokens           int64
	ValidationTokens int64 // 0: there are no validation data
	Longest          int   // tokens of the longest row
	Params           int64 // weights of the base model
	MemoryBytes      int64 // what training may take; 0: not known
	// Need returns the memory that training takes, in bytes.
	Need func(TrainSpec) int64
}

// Resolve returns t with a value for everything that is Open. It is a pure function: the same
// spec and facts choose the same values (docs/hyperparameters.md has the rules).
func (t TrainSpec) Resolve(f TrainFacts) TrainSpec {
	for _, h := range hyperFields {
		if t.open(h.name) {
			h.rule(&t, f)
		}
	}
	t.Open = nil
	return t
}

// open reports whether a hyperparameter is left to us: what is not, a rule must take as it is.
func (t *TrainSpec) open(name string) bool { return slices.Contains(t.Open, name) }

// Steps returns how many steps the epochs of t have over rows.
func (t TrainSpec) Steps(rows int) int { return t.Epochs * ((rows + t.BatchSize - 1) / t.BatchSize) }

// fits reports whether training as t does leaves a tenth of the memory: what is available
// changes while a job runs.
func (f TrainFacts) fits(t TrainSpec) bool {
	return f.MemoryBytes == 0 || f.Need == nil || f.Need(t) <= f.MemoryBytes/10*9
}

// autoMethod trains all weights where that fits, if need be in the least memory.
func autoMethod(t *TrainSpec, f TrainFacts) {
	least := *t
	least.Method = MethodFull
	if t.open("activationCheckpointing") {
		least.Recompute = true
	}
	if t.open("microBatchTokens") {
		least.MicroTokens = max(microTokensLow, f.Longest)
	}
	if t.Method = MethodFull; !f.fits(least) {
		t.Method = MethodLoRA
	}
}

// autoEpochs lets a small job see as many rows as one of a thousand sees in three epochs, and
// a very large one go through its data once.
func autoEpochs(t *TrainSpec, f TrainFacts) {
	const usual, rowsSeen, rowsMost = 3, 3000, 100_000
	rows := max(f.Rows, 1)
	switch {
	case usual*rows < rowsSeen:
		t.Epochs = min((rowsSeen+rows-1)/rows, EpochsMax)
	case usual*rows > rowsMost:
		t.Epochs = max(rowsMost/rows, 1)
	default:
		t.Epochs = usual
	}
}

// autoBatchSize is the largest power of two that leaves enough steps to learn in.
func autoBatchSize(t *TrainSpec, f TrainFacts) {
	const stepsWanted = 200
	for t.BatchSize = BatchSizeMax; t.BatchSize > 1 && t.Steps(f.Rows) < stepsWanted; {
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

func autoLearningRate(t *TrainSpec, f TrainFacts) {
	rate, high := rateReference*math.Sqrt(rateParams/float64(max(f.Params, 1)))*math.Sqrt(float64(t.BatchSize)/rateBatch), rateHigh
	if t.Method == MethodLoRA {
		rate, high = rate*rateOfAdapters, rateHighAdapter
	}
	t.LearningRate = twoDigits(min(max(rate, rateLow), high))
}

// twoDigits rounds x > 0 to two significant digits: more would promise what no rule knows.
func twoDigits(x float64) float64 {
	unit := math.Pow(10, 1-math.Floor(math.Log10(x))) // divided by, because powers above 1 are exact
	return math.Round(x*unit) / unit
}

func autoRateFactor(t *TrainSpec, _ TrainFacts) { t.RateFactor = 1 }

// autoWarmup is 5 % of the steps.
func autoWarmup(t *TrainSpec, f TrainFacts) {
	const part = 20
	t.WarmupSteps = min((t.Steps(f.Rows)+part-1)/part, WarmupStepsMax)
}

// autoSchedule is linear decay to zero: the best one for budgets that are known beforehand
// (Bergsma et al. 2025, arXiv:2502.15938).
func autoSchedule(t *TrainSpec, _ TrainFacts) { t.Schedule = ScheduleLinear }

// autoWeightDecay lets adapters be: they are small as it is.
func autoWeightDecay(t *TrainSpec, _ TrainFacts) {
	if t.WeightDecay = 0.01; t.Method == MethodLoRA {
		t.WeightDecay = 0
	}
}

func autoClip(t *TrainSpec, _ TrainFacts) { t.GradientClip = 1 }

// autoRank grows with what there is to learn.
func autoRank(t *TrainSpec, f TrainFacts) {
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
func autoAlpha(t *TrainSpec, _ TrainFacts) {
	if t.LoRA.Alpha = float64(2 * t.LoRA.Rank); t.LoRA.RSLoRA {
		t.LoRA.Alpha = 2 * math.Sqrt(float64(t.LoRA.Rank))
	}
}

// autoDropout is for few rows, which are seen many times.
func autoDropout(t *TrainSpec, f TrainFacts) {
	if t.LoRA.Dropout = 0; f.Rows < 1000 {
		t.LoRA.Dropout = 0.05
	}
}

func autoTargets(t *TrainSpec, _ TrainFacts) { t.LoRA.Targets = nil }

// autoRSLoRA is for ranks at which alpha/rank would make adapters too weak, if alpha is given.
func autoRSLoRA(t *TrainSpec, _ TrainFacts) { t.LoRA.RSLoRA = t.LoRA.Rank > 64 }

func autoSequence(t *TrainSpec, _ TrainFacts) { t.MaxSequenceLength = 0 }

// microTokensLow is the least that autoMicroTokens chooses: computing activations again costs
// less than products of fewer rows do.
const microTokensLow = 512

// autoMicroTokens is the largest that fits, in halves of the usual: without Recompute, unless that
// is given.
func autoMicroTokens(t *TrainSpec, f TrainFacts) {
	plain := *t
	if t.open("activationCheckpointing") {
		plain.Recompute = false
	}
	for plain.MicroTokens = microTokensUsual; plain.MicroTokens > microTokensLow && !f.fits(plain); {
		plain.MicroTokens /= 2
	}
	t.MicroTokens = plain.MicroTokens
}

func autoRecompute(t *TrainSpec, f TrainFacts) {
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
func autoInterval(t *TrainSpec, f TrainFacts) {
	wanted := float64(evaluationsWanted)
	share := forwardShare
	if t.Method == MethodLoRA {
		share = forwardShareOfAdapters
	}
	perEvaluation := float64(f.ValidationTokens) * share
	if t.Best == BestExactMatch {
		perEvaluation *= 2 // which takes a pass of its own
	}
	if perEvaluation > 0 {
		wanted = min(wanted, float64(f.Tokens)*float64(t.Epochs)*evaluationShare/perEvaluation)
	}
	t.EvaluationInterval = max(int(math.Ceil(float64(t.Steps(f.Rows))/max(wanted, 1))), 1)
}

// autoPatience ends jobs early where there is something to tell it by.
func autoPatience(t *TrainSpec, f TrainFacts) {
	if t.Patience = 0; f.ValidationTokens > 0 {
		t.Patience = 3
	}
}

func autoMinGain(t *TrainSpec, _ TrainFacts) { t.MinGain = 0.001 }

// autoBest publishes the last step, as Bedrock does, unless the job may end because it got worse.
func autoBest(t *TrainSpec, _ TrainFacts) {
	if t.Best = BestLast; t.Patience > 0 {
		t.Best = BestValidationLoss
	}
}

// autoKeep keeps none: each is a whole model on disk.
func autoKeep(t *TrainSpec, _ TrainFacts) { t.KeepCheckpoints = 0 }
