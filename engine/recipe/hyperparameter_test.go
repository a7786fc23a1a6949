package recipe_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/recipe"
)

var titan = outcrop.FoundationModel{
	LearningRateScale: 50, Defaults: outcrop.TrainDefaults{Epochs: 5, BatchSize: 1, LearningRate: 5e-4, WarmupSteps: 5},
}

func parse(t *testing.T, pairs ...string) outcrop.TrainSpec {
	t.Helper()
	hp := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		hp[pairs[i]] = pairs[i+1]
	}
	got, err := recipe.Parse(titan, hp)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestParseHyperParameters(t *testing.T) {
	t.Parallel()
	got := parse(t, "epochCount", "3", "batchSize", "8", "learningRate", "0.00001", "learningRateWarmupSteps", "10", "seed", "7")
	want := recipe.Default(outcrop.TrainDefaults{Epochs: 3, BatchSize: 8, LearningRate: 0.00001 * 50, WarmupSteps: 10})
	want.Seed, want.Open = 7, []string{"dither", "loraAlpha", "microBatchTokens", "activationCheckpointing", "evaluationInterval", "bestCheckpoint"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := parse(t); got.LearningRate != 5e-4 || got.Epochs != 5 || got.BatchSize != 1 || got.WarmupSteps != 5 {
		t.Errorf("no parameters: got %+v, want the defaults", got)
	}
	if got := parse(t, "learningRate", "0.00002", "learningRateMultiplier", "0.5").PeakRate(); got != 0.00002*50*0.5 {
		t.Errorf("rate %g", got)
	}
	lora := parse(t, "method", "lora", "loraRank", "4", "loraAlpha", "8", "loraDropout", "0.1", "loraTargets", "q_proj,v_proj", "rsLora", "true")
	if want := (outcrop.LoRASpec{Rank: 4, Alpha: 8, Dropout: 0.1, Targets: []string{"q_proj", "v_proj"}, RSLoRA: true}); !reflect.DeepEqual(lora.LoRA, want) {
		t.Errorf("got %+v, want %+v", lora.LoRA, want)
	}
	if !slices.Contains(lora.Open, "learningRate") {
		t.Error("the model's learning rate for all weights was taken for adapters")
	}
	if got := parse(t, "earlyStoppingThreshold", "0.01"); got.Patience != 2 || got.MinGain != 0.01 || !got.Validates() {
		t.Errorf("a threshold alone: %+v", got)
	}
}

// Every limit is accepted and one past it refused; all but the seed may be left to us.
func TestHyperParameterRanges(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]struct{ good, bad []string }{
		"method":                  {[]string{"full", "lora", "auto"}, []string{"", "LoRA", "qlora"}},
		"epochCount":              {[]string{"1", "10", "auto"}, []string{"0", "11", "", "1.5", "x", "Auto"}},
		"batchSize":               {[]string{"1", "64", "auto"}, []string{"0", "65", "-1"}},
		"learningRate":            {[]string{"0", "1", "1e-5", "auto"}, []string{"-0.1", "1.0001", "NaN", "Inf", "", "0x1p-20", "1_0e-5"}},
		"learningRateMultiplier":  {[]string{"0.1", "2", "auto"}, []string{"0.09", "2.1", "NaN"}},
		"learningRateWarmupSteps": {[]string{"0", "250", "auto"}, []string{"-1", "251"}},
		"schedule":                {[]string{"linear", "cosine", "constant", "wsd", "auto"}, []string{"", "step"}},
		"weightDecay":             {[]string{"0", "1", "auto"}, []string{"-0.1", "1.1"}},
		"gradientClip":            {[]string{"0.01", "100", "auto"}, []string{"0", "101"}},
		"dither":                  {[]string{"true", "false", "auto"}, []string{"", "1"}},
		"loraRank":                {[]string{"1", "256", "auto"}, []string{"0", "257"}},
		"loraAlpha":               {[]string{"0.1", "1024", "auto"}, []string{"0", "1025"}},
		"loraDropout":             {[]string{"0", "0.5", "auto"}, []string{"-0.1", "0.51"}},
		"loraTargets":             {[]string{"q_proj", "q_proj,down_proj", "auto"}, []string{"", "q_proj,", "Q", "a b", strings.Repeat("a,", 16) + "a"}},
		"rsLora":                  {[]string{"true", "false", "auto"}, []string{"", "1", "yes"}},
		"maxSequenceLength":       {[]string{"16", "262144", "auto"}, []string{"15", "262145"}},
		"microBatchTokens":        {[]string{"64", "65536", "auto"}, []string{"63", "65537"}},
		"activationCheckpointing": {[]string{"true", "false", "auto"}, []string{"on"}},
		"evaluationInterval":      {[]string{"1", "100000", "auto"}, []string{"0", "100001"}},
		"earlyStoppingPatience":   {[]string{"0", "10", "auto"}, []string{"-1", "11"}},
		"earlyStoppingThreshold":  {[]string{"0", "0.1", "auto"}, []string{"-0.01", "0.11"}},
		"bestCheckpoint":          {[]string{"last", "validationLoss", "exactMatch", "auto"}, []string{"", "first"}},
		"keepCheckpoints":         {[]string{"0", "10", "auto"}, []string{"-1", "11"}},
		"seed":                    {[]string{"0", "18446744073709551615"}, []string{"-1", "x", "auto"}},
	} {
		hp := map[string]string{}
		if strings.HasPrefix(name, "lora") || name == "rsLora" {
			hp["method"] = "lora"
		}
		for _, v := range r.good {
			hp[name] = v
			if _, err := recipe.Parse(titan, hp); err != nil {
				t.Errorf("%s=%q: %v", name, v, err)
			}
		}
		for _, v := range r.bad {
			hp[name] = v
			_, err := recipe.Parse(titan, hp)
			if outcrop.CodeOf(err) != outcrop.CodeValidation || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q: %v, want a ValidationException that names it", name, v, err)
			}
		}
	}
}

// A model's defaults have the ranges of a job's hyperparameters, but for a rate of 0.
func TestAllowed(t *testing.T) {
	t.Parallel()
	defaults := func(epochs, batch int, rate float64, warmup int) outcrop.TrainDefaults {
		return outcrop.TrainDefaults{Epochs: epochs, BatchSize: batch, LearningRate: rate, WarmupSteps: warmup}
	}
	for _, d := range []outcrop.TrainDefaults{defaults(1, 1, 1e-9, 0), defaults(10, 64, 1, 250)} {
		if !recipe.Allowed(d) {
			t.Errorf("%+v is refused", d)
		}
	}
	for _, d := range []outcrop.TrainDefaults{
		defaults(0, 1, 1, 0), defaults(11, 1, 1, 0), defaults(1, 0, 1, 0), defaults(1, 65, 1, 0),
		defaults(1, 1, 0, 0), defaults(1, 1, 1.001, 0), defaults(1, 1, 1, -1), defaults(1, 1, 1, 251),
	} {
		if recipe.Allowed(d) {
			t.Errorf("%+v is allowed", d)
		}
	}
}

func TestHyperParametersReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	_, err := recipe.Parse(titan, map[string]string{
		"epochCount": "0", "batchSize": "0", "zeta": "1", "alpha": "1", "loraRank": "4", "schedule": "steep",
	})
	for _, want := range []string{
		"epochCount is not valid: it must be an integer from 1 to 10, or auto.", "batchSize", `"alpha" is not known`, `"zeta" is not known. There are: method, `,
		"loraRank is for low-rank adapters", "schedule is not valid: it must be linear, cosine, constant or wsd, or auto.",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %s", err, want)
		}
	}
}

// What a spec says of itself can be given to another job, which then trains alike.
func TestHyperParametersRoundTrip(t *testing.T) {
	t.Parallel()
	for _, hp := range []map[string]string{
		nil,
		{"learningRate": "0.00123", "schedule": "cosine", "bestCheckpoint": "exactMatch", "earlyStoppingPatience": "3"},
		{"method": "lora", "loraTargets": "q_proj,o_proj", "loraDropout": "0.05", "rsLora": "true", "seed": "9"},
	} {
		base := titan
		base.LearningRateScale = 1
		spec, err := recipe.Parse(base, hp)
		if err != nil {
			t.Fatal(err)
		}
		spec = recipe.Resolve(spec, recipe.Facts{Rows: 500, Tokens: 50_000, ValidationTokens: 1000, Longest: 100, Params: 7e6})
		said := recipe.Values(spec)
		if said["loraTargets"] == "all linear layers" || spec.MaxSequenceLength == 0 {
			delete(said, "maxSequenceLength") // words, no value
		}
		again, err := recipe.Parse(base, said)
		if err != nil {
			t.Fatalf("%v: %v", said, err)
		}
		if again = recipe.Resolve(again, recipe.Facts{}); spec.Method == outcrop.MethodFull {
			again.LoRA = spec.LoRA
		}
		if !reflect.DeepEqual(again, spec) {
			t.Errorf("got %+v, want %+v", again, spec)
		}
	}
}

// The documentation has every hyperparameter, and no other.
func TestHyperParametersAreDocumented(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/hyperparameters.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllSubmatch(b, -1) {
		documented = append(documented, string(m[1]))
	}
	names := recipe.Names()
	slices.Sort(names)
	slices.Sort(documented)
	if !slices.Equal(documented, names) {
		t.Errorf("documented are %v, there are %v", documented, names)
	}
}
