package recipe

import (
	"slices"
	"strconv"
	"strings"

	"outcrop.dev/outcrop"
)

// auto is the value of a hyperparameter that is to be chosen by rule.
const auto = "auto"

// spec is what the table's functions read and write.
type spec = outcrop.TrainSpec

// fields are all hyperparameters, in the order in which Resolve chooses those that are open: a
// rule may look at what stands above it. After the name, the range and the place of the value
// comes what else is true of it:
//
//	auto(rule)  The value may be "auto": the rule chooses it.
//	open()      A job that does not name it leaves it to the rule.
//	lora()      It shapes adapters, and is refused where all weights are trained.
//	none(text)  Its 0 means that there is no such value. The API shows the text instead.
var fields = []field{
	word("method", func(t *spec) *outcrop.Method { return &t.Method }, outcrop.MethodFull, outcrop.MethodLoRA).auto(autoMethod),
	integer("epochCount", epochsMin, epochsMax, func(t *spec) *int { return &t.Epochs }).auto(autoEpochs),
	integer("batchSize", batchSizeMin, batchSizeMax, func(t *spec) *int { return &t.BatchSize }).auto(autoBatchSize),
	number("learningRate", rateMin, rateMax, func(t *spec) *float64 { return &t.LearningRate }).auto(autoLearningRate),
	number("learningRateMultiplier", rateFactorMin, rateFactorMax, func(t *spec) *float64 { return &t.RateFactor }).auto(autoRateFactor),
	integer("learningRateWarmupSteps", warmupMin, warmupMax, func(t *spec) *int { return &t.WarmupSteps }).auto(autoWarmup),
	word("schedule", func(t *spec) *outcrop.Schedule { return &t.Schedule }, outcrop.ScheduleLinear, outcrop.ScheduleCosine, outcrop.ScheduleConstant, outcrop.ScheduleWSD).auto(autoSchedule),
	number("weightDecay", decayMin, decayMax, func(t *spec) *float64 { return &t.WeightDecay }).auto(autoWeightDecay),
	number("gradientClip", clipMin, clipMax, func(t *spec) *float64 { return &t.GradientClip }).auto(autoClip),
	boolean("dither", func(t *spec) *bool { return &t.Dither }).auto(autoDither).open(),
	integer("loraRank", rankMin, RankMax, func(t *spec) *int { return &t.LoRA.Rank }).auto(autoRank).lora(),
	boolean("rsLora", func(t *spec) *bool { return &t.LoRA.RSLoRA }).auto(autoRSLoRA).lora(),
	number("loraAlpha", alphaMin, alphaMax, func(t *spec) *float64 { return &t.LoRA.Alpha }).auto(autoAlpha).open().lora(),
	number("loraDropout", dropoutMin, dropoutMax, func(t *spec) *float64 { return &t.LoRA.Dropout }).auto(autoDropout).lora(),
	list("loraTargets", targetsMax, func(t *spec) *[]string { return &t.LoRA.Targets }).auto(autoTargets).lora(),
	integer("maxSequenceLength", sequenceMin, sequenceMax, func(t *spec) *int { return &t.MaxSequenceLength }).none("the model's context").auto(autoSequence),
	integer("microBatchTokens", microTokensMin, microTokensMax, func(t *spec) *int { return &t.MicroTokens }).auto(autoMicroTokens).open(),
	boolean("activationCheckpointing", func(t *spec) *bool { return &t.Recompute }).auto(autoRecompute).open(),
	integer("evaluationInterval", intervalMin, intervalMax, func(t *spec) *int { return &t.EvaluationInterval }).auto(autoInterval).open(),
	integer("earlyStoppingPatience", patienceMin, patienceMax, func(t *spec) *int { return &t.Patience }).auto(autoPatience),
	number("earlyStoppingThreshold", minGainMin, minGainMax, func(t *spec) *float64 { return &t.MinGain }).auto(autoMinGain),
	word("bestCheckpoint", func(t *spec) *outcrop.Selection { return &t.Best }, outcrop.BestLast, outcrop.BestValidationLoss, outcrop.BestExactMatch).auto(autoBest).open(),
	integer("keepCheckpoints", keepMin, keepMax, func(t *spec) *int { return &t.KeepCheckpoints }).auto(autoKeep),
	seed("seed", func(t *spec) *uint64 { return &t.Seed }),
}

// Parse reads Bedrock's hyperParameters (strings) for base. Missing ones take its defaults,
// learningRate is multiplied by its LearningRateScale, and what is to be chosen is left Open.
// CodeValidation names every bad value at once, with its range.
func Parse(base outcrop.FoundationModel, hp map[string]string) (outcrop.TrainSpec, error) {
	t, bad := Default(base.Defaults), unknown(hp)
	for _, f := range fields {
		s, given := hp[f.name]
		switch {
		case !given && f.chosen, given && s == auto && f.rule != nil:
			t.Open = append(t.Open, f.name)
		case given && !f.set(&t, s):
			bad = append(bad, "The value "+strconv.Quote(s)+" of hyperparameter "+f.name+" is not valid: it must be "+f.wants()+".")
		}
	}
	if bad = append(bad, misplaced(hp)...); len(bad) > 0 {
		return outcrop.TrainSpec{}, outcrop.Errorf(outcrop.CodeValidation, "%s", strings.Join(bad, " "))
	}
	relate(&t, base, hp)
	return t, nil
}

// relate sets what one hyperparameter means for another.
func relate(t *spec, base outcrop.FoundationModel, hp map[string]string) {
	rate := hp["learningRate"]
	if rate != "" && rate != auto && base.LearningRateScale != 0 {
		t.LearningRate *= base.LearningRateScale
	}
	if rate == "" && hp["method"] != "" && hp["method"] != string(outcrop.MethodFull) { // the model's own is for all weights
		t.Open = append(t.Open, "learningRate")
	}
	if hp["earlyStoppingThreshold"] != "" && hp["earlyStoppingPatience"] == "" {
		t.Patience = patienceOfThreshold
	}
}

// patienceOfThreshold is the patience of a job that gives a threshold alone: Claude's default.
const patienceOfThreshold = 2

// Values returns the values that t uses by their names, as a caller would write them. What has no
// value says so in words: "all linear layers", "the model's context".
func Values(t outcrop.TrainSpec) map[string]string {
	hp := map[string]string{}
	for _, f := range fields {
		if !f.adapters || t.Method == outcrop.MethodLoRA {
			hp[f.name] = f.get(&t)
		}
	}
	return hp
}

// Names returns the names of all hyperparameters, those that belong together side by side.
func Names() (names []string) {
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}

// misplaced names values that would have no effect: they are a mistake, or a method was forgotten.
func misplaced(hp map[string]string) (bad []string) {
	if method := hp["method"]; method != "" && method != string(outcrop.MethodFull) {
		return nil
	}
	for _, f := range fields {
		if _, given := hp[f.name]; given && f.adapters {
			bad = append(bad, "The hyperparameter "+f.name+` is for low-rank adapters: give the hyperparameter method the value "lora" too, or leave it out.`)
		}
	}
	return bad
}

// unknown names the hyperparameters that there are not.
func unknown(hp map[string]string) (bad []string) {
	known := Names()
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
