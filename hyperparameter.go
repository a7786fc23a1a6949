package outcrop

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// The ranges that AWS documents for Titan Text Express and Lite, Claude and Cohere
// ("custom-models-hp"), and those of the extensions. docs/hyperparameters.md lists them.
const (
	EpochsMin, EpochsMax             = 1, 10
	BatchSizeMin, BatchSizeMax       = 1, 64
	LearningRateMin, LearningRateMax = 0.0, 1.0
	WarmupStepsMin, WarmupStepsMax   = 0, 250

	rateFactorMin, rateFactorMax = 0.1, 2
	patienceMin, patienceMax     = 0, 10 // Claude's and Cohere's begin at 1; 0 switches it off
	minGainMin, minGainMax       = 0, 0.1
	decayMin, decayMax           = 0, 1
	clipMin, clipMax             = 0.01, 100
	rankMin, rankMax             = 1, 256
	alphaMin, alphaMax           = 0.1, 1024
	dropoutMin, dropoutMax       = 0, 0.5
	sequenceMin, sequenceMax     = 16, 1 << 18 // a longer context no model may have
	intervalMin, intervalMax     = 1, 100_000
	keepMin, keepMax             = 0, EpochsMax // each is a whole model on disk
	targetsMax                   = 16           // more kinds of linear layers no family has

	// A batch of fewer tokens leaves the kernels idle; one of more takes memory and gains nothing.
	microTokensMin, microTokensMax = 64, 65536
	microTokensUsual               = 1024 // as train.FineTune has it
)

// auto is the value of a hyperparameter that is to be chosen by rule.
const auto = "auto"

// hyperFields are all hyperparameters, in the order in which Resolve chooses those that are
// open: a rule may look at what stands above it.
var hyperFields = []hyperField{
	word("method", []string{MethodFull, MethodLoRA}, func(t *TrainSpec) *string { return &t.Method }).auto(autoMethod),
	integer("epochCount", EpochsMin, EpochsMax, func(t *TrainSpec) *int { return &t.Epochs }).auto(autoEpochs),
	integer("batchSize", BatchSizeMin, BatchSizeMax, func(t *TrainSpec) *int { return &t.BatchSize }).auto(autoBatchSize),
	number("learningRate", LearningRateMin, LearningRateMax, func(t *TrainSpec) *float64 { return &t.LearningRate }).auto(autoLearningRate),
	number("learningRateMultiplier", rateFactorMin, rateFactorMax, func(t *TrainSpec) *float64 { return &t.RateFactor }).auto(autoRateFactor),
	integer("learningRateWarmupSteps", WarmupStepsMin, WarmupStepsMax, func(t *TrainSpec) *int { return &t.WarmupSteps }).auto(autoWarmup),
	word("schedule", []string{ScheduleLinear, ScheduleCosine, ScheduleConstant, ScheduleWSD}, func(t *TrainSpec) *string { return &t.Schedule }).auto(autoSchedule),
	number("weightDecay", decayMin, decayMax, func(t *TrainSpec) *float64 { return &t.WeightDecay }).auto(autoWeightDecay),
	number("gradientClip", clipMin, clipMax, func(t *TrainSpec) *float64 { return &t.GradientClip }).auto(autoClip),
	integer("loraRank", rankMin, rankMax, func(t *TrainSpec) *int { return &t.LoRA.Rank }).auto(autoRank).lora(),
	truth("rsLora", func(t *TrainSpec) *bool { return &t.LoRA.RSLoRA }).auto(autoRSLoRA).lora(),
	number("loraAlpha", alphaMin, alphaMax, func(t *TrainSpec) *float64 { return &t.LoRA.Alpha }).auto(autoAlpha).open().lora(),
	number("loraDropout", dropoutMin, dropoutMax, func(t *TrainSpec) *float64 { return &t.LoRA.Dropout }).auto(autoDropout).lora(),
	names("loraTargets", targetsMax, func(t *TrainSpec) *[]string { return &t.LoRA.Targets }).auto(autoTargets).lora(),
	integer("maxSequenceLength", sequenceMin, sequenceMax, func(t *TrainSpec) *int { return &t.MaxSequenceLength }).none("the model's context").auto(autoSequence),
	integer("microBatchTokens", microTokensMin, microTokensMax, func(t *TrainSpec) *int { return &t.MicroTokens }).auto(autoMicroTokens).open(),
	truth("activationCheckpointing", func(t *TrainSpec) *bool { return &t.Recompute }).auto(autoRecompute).open(),
	integer("evaluationInterval", intervalMin, intervalMax, func(t *TrainSpec) *int { return &t.EvaluationInterval }).auto(autoInterval).open(),
	integer("earlyStoppingPatience", patienceMin, patienceMax, func(t *TrainSpec) *int { return &t.Patience }).auto(autoPatience),
	number("earlyStoppingThreshold", minGainMin, minGainMax, func(t *TrainSpec) *float64 { return &t.MinGain }).auto(autoMinGain),
	word("bestCheckpoint", []string{BestLast, BestValidationLoss, BestExactMatch}, func(t *TrainSpec) *string { return &t.Best }).auto(autoBest).open(),
	integer("keepCheckpoints", keepMin, keepMax, func(t *TrainSpec) *int { return &t.KeepCheckpoints }).auto(autoKeep),
	seed("seed", func(t *TrainSpec) *uint64 { return &t.Seed }),
}

// ParseHyperParameters reads Bedrock's hyperParameters (strings) for base: missing ones take
// its defaults, learningRate is multiplied by its LearningRateScale, and what is to be chosen
// is left Open. CodeValidation names every bad value at once, with its range.
func ParseHyperParameters(base FoundationModel, hp map[string]string) (TrainSpec, error) {
	t, bad := NewTrainSpec(base.Defaults), unknown(hp)
	for _, f := range hyperFields {
		s, given := hp[f.name]
		switch {
		case !given && f.chosen, given && s == auto && f.rule != nil:
			t.Open = append(t.Open, f.name)
		case given && !f.set(&t, s):
			bad = append(bad, "The value "+strconv.Quote(s)+" of hyperparameter "+f.name+" is not valid: it must be "+f.wants()+".")
		}
	}
	if bad = append(bad, misplaced(hp)...); len(bad) > 0 {
		return TrainSpec{}, Errorf(CodeValidation, "%s", strings.Join(bad, " "))
	}
	t.relate(base, hp)
	return t, nil
}

// relate sets what one hyperparameter means for another.
func (t *TrainSpec) relate(base FoundationModel, hp map[string]string) {
	rate := hp["learningRate"]
	if rate != "" && rate != auto && base.LearningRateScale != 0 {
		t.LearningRate *= base.LearningRateScale
	}
	if rate == "" && hp["method"] != "" && hp["method"] != MethodFull { // the model's own is for all weights
		t.Open = append(t.Open, "learningRate")
	}
	if hp["earlyStoppingThreshold"] != "" && hp["earlyStoppingPatience"] == "" {
		t.Patience = patienceOfThreshold
	}
}

// patienceOfThreshold is the patience of a job that gives a threshold alone: Claude's default.
const patienceOfThreshold = 2

// HyperParameters returns the values of t by their names, as a caller would write them: all
// that t uses. What has no value says so in words: "all linear layers", "the model's context".
func (t TrainSpec) HyperParameters() map[string]string {
	hp := map[string]string{}
	for _, f := range hyperFields {
		if !f.adapters || t.Method == MethodLoRA {
			hp[f.name] = f.get(&t)
		}
	}
	return hp
}

// HyperParameterNames returns the names of all hyperparameters, those that belong together side
// by side.
func HyperParameterNames() (names []string) {
	for _, f := range hyperFields {
		names = append(names, f.name)
	}
	return names
}

// misplaced names values that would have no effect: they are a mistake, or a method was forgotten.
func misplaced(hp map[string]string) (bad []string) {
	if method := hp["method"]; method != "" && method != MethodFull {
		return nil
	}
	for _, f := range hyperFields {
		if _, given := hp[f.name]; given && f.adapters {
			bad = append(bad, "The hyperparameter "+f.name+` is for low-rank adapters: give the hyperparameter method the value "lora" too, or leave it out.`)
		}
	}
	return bad
}

// unknown names the hyperparameters that there are not.
func unknown(hp map[string]string) (bad []string) {
	known := HyperParameterNames()
	for name := range hp {
		if !slices.Contains(known, name) {
			bad = append(bad, "The hyperparameter "+strconv.Quote(name)+" is not known.")
		}
	}
	if slices.Sort(bad); bad != nil {
		bad = append(bad, "There are: "+strings.Join(known, ", ")+".")
	}
	return bad
}

// hyperField is one hyperparameter: how its value is read and written, and what "auto" means.
type hyperField struct {
	name     string
	want     string // what a value must be
	set      func(t *TrainSpec, s string) bool
	get      func(t *TrainSpec) string
	rule     func(t *TrainSpec, f TrainFacts) // nil: it cannot be chosen
	chosen   bool                             // unless it is given
	adapters bool                             // for MethodLoRA only
}

func (h hyperField) auto(rule func(*TrainSpec, TrainFacts)) hyperField { h.rule = rule; return h }
func (h hyperField) open() hyperField                                  { h.chosen = true; return h }
func (h hyperField) lora() hyperField                                  { h.adapters = true; return h }

func (h hyperField) wants() string {
	if h.rule == nil {
		return h.want
	}
	return h.want + ", or auto"
}

func integer(name string, lo, hi int, at func(*TrainSpec) *int) hyperField {
	return hyperField{
		name: name, want: "an integer from " + strconv.Itoa(lo) + " to " + strconv.Itoa(hi),
		set: func(t *TrainSpec, s string) bool {
			n, err := strconv.Atoi(s)
			*at(t) = n
			return err == nil && n >= lo && n <= hi
		},
		get: func(t *TrainSpec) string { return strconv.Itoa(*at(t)) },
	}
}

// none makes 0, which is no value that a caller may give, read as text.
func (f hyperField) none(text string) hyperField {
	get := f.get
	f.get = func(t *TrainSpec) string {
		if s := get(t); s != "0" {
			return s
		}
		return text
	}
	return f
}

func number(name string, lo, hi float64, at func(*TrainSpec) *float64) hyperField {
	return hyperField{
		name: name, want: "a number from " + format(lo) + " to " + format(hi),
		set: func(t *TrainSpec, s string) bool {
			x, err := strconv.ParseFloat(s, 64)
			*at(t) = x
			return err == nil && strings.Trim(s, "0123456789.eE+-") == "" && !math.IsNaN(x) && x >= lo && x <= hi
		},
		get: func(t *TrainSpec) string { return format(*at(t)) },
	}
}

// format writes x without an exponent, as AWS does.
func format(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func word(name string, words []string, at func(*TrainSpec) *string) hyperField {
	last := len(words) - 1
	return hyperField{
		name: name, want: strings.Join(words[:last], ", ") + " or " + words[last],
		set: func(t *TrainSpec, s string) bool { *at(t) = s; return slices.Contains(words, s) },
		get: func(t *TrainSpec) string { return *at(t) },
	}
}

func truth(name string, at func(*TrainSpec) *bool) hyperField {
	return hyperField{
		name: name, want: "true or false",
		set: func(t *TrainSpec, s string) bool { *at(t) = s == "true"; return s == "true" || s == "false" },
		get: func(t *TrainSpec) string { return strconv.FormatBool(*at(t)) },
	}
}

func names(name string, most int, at func(*TrainSpec) *[]string) hyperField {
	return hyperField{
		name: name, want: "1 to " + strconv.Itoa(most) + " names of linear layers with commas in between, such as q_proj,v_proj",
		set: func(t *TrainSpec, s string) bool {
			*at(t) = strings.Split(s, ",")
			return len(*at(t)) <= most && !slices.ContainsFunc(*at(t), func(s string) bool {
				return s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.") != ""
			})
		},
		get: func(t *TrainSpec) string {
			if len(*at(t)) == 0 {
				return "all linear layers"
			}
			return strings.Join(*at(t), ",")
		},
	}
}

func seed(name string, at func(*TrainSpec) *uint64) hyperField {
	return hyperField{
		name: name, want: "an integer from 0",
		set: func(t *TrainSpec, s string) bool {
			n, err := strconv.ParseUint(s, 10, 64)
			*at(t) = n
			return err == nil
		},
		get: func(t *TrainSpec) string { return strconv.FormatUint(*at(t), 10) },
	}
}
