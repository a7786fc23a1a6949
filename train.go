package outcrop

import "encoding/json"

// TrainSpec is a job's hyperparameters as numbers. docs/hyperparameters.md says what each means.
type TrainSpec struct {
	Method       string // MethodFull or MethodLoRA
	Epochs       int
	BatchSize    int     // rows a step
	LearningRate float64 // the peak, after LearningRateScale; PeakRate multiplies it further
	RateFactor   float64 // learningRateMultiplier
	WarmupSteps  int
	Schedule     string  // of the rate after the warm-up: one of Schedules
	WeightDecay  float64 // of matrices
	GradientClip float64 // the largest norm of the gradient
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
	Best               string // which step's weights are published: one of Selections
	KeepCheckpoints    int    // how many epochs' ends are published as models of their own

	// Open names the hyperparameters that Resolve has still to choose.
	Open []string
}

// LoRASpec is the shape of low-rank adapters (Hu et al. 2021, arXiv:2106.09685).
type LoRASpec struct {
	Rank           int
	Alpha, Dropout float64
	Targets        []string // as Hugging Face names the layers; none: all linear layers
	RSLoRA         bool     // scale by alpha/√rank, not alpha/rank (arXiv:2312.03732)
}

// The methods of a TrainSpec.
const (
	MethodFull = "full"
	MethodLoRA = "lora"
)

// The schedules of a TrainSpec, after the warm-up.
const (
	ScheduleLinear   = "linear"   // falls to zero in a straight line
	ScheduleCosine   = "cosine"   // falls to zero as a half cosine
	ScheduleConstant = "constant" // stays
	ScheduleWSD      = "wsd"      // stays, then falls to zero over the last part
)

// What may select the published weights of a TrainSpec.
const (
	BestLast           = "last"           // those of the last step
	BestValidationLoss = "validationLoss" // those with the lowest loss over all validation tokens
	BestExactMatch     = "exactMatch"     // those that answer the most validation rows exactly
)

// TrainDefaults are the hyperparameters that differ from model to model when a job names none.
type TrainDefaults struct {
	Epochs       int
	BatchSize    int
	LearningRate float64 // after LearningRateScale
	WarmupSteps  int
}

// NewTrainSpec returns what a job trains with that names no hyperparameters at all.
func NewTrainSpec(d TrainDefaults) TrainSpec {
	return TrainSpec{
		Method: MethodFull, Epochs: d.Epochs, BatchSize: d.BatchSize, LearningRate: d.LearningRate, RateFactor: 1, WarmupSteps: d.WarmupSteps,
		Schedule: ScheduleLinear, WeightDecay: 0.01, GradientClip: 1, LoRA: LoRASpec{Rank: 16, Alpha: 32},
		MicroTokens: microTokensUsual, MinGain: 0.001, Best: BestLast,
	}
}

// PeakRate is the learning rate after the warm-up.
func (t TrainSpec) PeakRate() float64 { return t.LearningRate * t.RateFactor }

// Validates reports whether the spec asks for what only validation data can tell.
func (t TrainSpec) Validates() bool { return t.Patience > 0 || t.Best != BestLast }

// UnmarshalJSON fills in what a job was trained with before there was a choice: its record, or
// its worker, may be of an older version.
func (t *TrainSpec) UnmarshalJSON(b []byte) error {
	type plain TrainSpec
	p := plain(NewTrainSpec(TrainDefaults{}))
	err := json.Unmarshal(b, &p)
	*t = TrainSpec(p)
	return err
}
