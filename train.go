package outcrop

import "encoding/json"

// TrainSpec is a job's hyperparameters as numbers. docs/hyperparameters.md says what each means.
type TrainSpec struct {
	Method       Method
	Epochs       int
	BatchSize    int     // rows a step
	LearningRate float64 // the peak, after LearningRateScale; PeakRate multiplies it further
	RateFactor   float64 // learningRateMultiplier
	WarmupSteps  int
	Schedule     Schedule // of the rate after the warm-up
	WeightDecay  float64  // of matrices
	GradientClip float64  // the largest norm of the gradient
	Dither       bool     // begin from weights spread within what bfloat16 rounds to them: model.Dither
	LoRA         LoRASpec
	Seed         uint64

	MaxSequenceLength int // tokens of a row, the rest is cut off; 0: the model's context
	// MicroTokens is how many tokens go through the model at a time. Steps of more are cut:
	// memory grows with it, and sums are taken in another order.
	MicroTokens int
	// Recompute forgets the activations of a block and computes them again: less memory, more
	// time, the same bits.
	Recompute bool

	EvaluationInterval int // steps between validations; 0: chosen by the worker
	Patience           int // validations without gain until the job ends early; 0: it does not
	MinGain            float64
	Best               Selection // which step's weights are published
	KeepCheckpoints    int       // how many epochs' ends are published as models of their own

	// Open names the hyperparameters that recipe.Resolve has still to choose.
	Open []string
}

// LoRASpec is the shape of low-rank adapters (Hu et al. 2021, arXiv:2106.09685).
type LoRASpec struct {
	Rank           int
	Alpha, Dropout float64
	Targets        []string // as Hugging Face names the layers; none: all linear layers
	RSLoRA         bool     // scale by alpha/√rank, not alpha/rank (arXiv:2312.03732)
}

// Method is what a job trains.
type Method string

// The methods.
const (
	MethodFull Method = "full" // all weights
	MethodLoRA Method = "lora" // adapters beside the weights, which stay as they are
)

// Schedule is the course of the learning rate after the warm-up.
type Schedule string

// The schedules.
const (
	ScheduleLinear   Schedule = "linear"   // falls to zero in a straight line
	ScheduleCosine   Schedule = "cosine"   // falls to zero as a half cosine
	ScheduleConstant Schedule = "constant" // stays
	ScheduleWSD      Schedule = "wsd"      // stays, then falls to zero over the last part
)

// Selection is what chooses the weights that are published.
type Selection string

// The selections.
const (
	BestLast           Selection = "last"           // those of the last step
	BestValidationLoss Selection = "validationLoss" // those with the lowest loss over all validation tokens
	BestExactMatch     Selection = "exactMatch"     // those that answer the most validation rows exactly
)

// TrainDefaults are the hyperparameters that differ from model to model when a job names none.
type TrainDefaults struct {
	Epochs       int
	BatchSize    int
	LearningRate float64 // after LearningRateScale
	WarmupSteps  int
}

// PeakRate is the learning rate after the warm-up.
func (t TrainSpec) PeakRate() float64 { return t.LearningRate * t.RateFactor }

// Validates reports whether the spec asks for what only validation data can tell.
func (t TrainSpec) Validates() bool { return t.Patience > 0 || t.Best != BestLast }

// Steps returns how many steps the epochs of t have over rows.
func (t TrainSpec) Steps(rows int) int { return t.Epochs * ((rows + t.BatchSize - 1) / t.BatchSize) }

// UnmarshalJSON fills in what a job was trained with before there was a choice: its record, or
// its worker, may be of an older version. These values never change, whatever later jobs have for
// defaults (recipe.Default).
func (t *TrainSpec) UnmarshalJSON(b []byte) error {
	type plain TrainSpec
	p := plain{
		Method: MethodFull, RateFactor: 1, Schedule: ScheduleLinear, WeightDecay: 0.01, GradientClip: 1,
		LoRA: LoRASpec{Rank: 16, Alpha: 32}, MicroTokens: 1024, MinGain: 0.001, Best: BestLast,
	}
	err := json.Unmarshal(b, &p)
	*t = TrainSpec(p)
	return err
}
