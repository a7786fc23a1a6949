package recipe_test

import (
	"reflect"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/recipe"
)

// TestAuto is the rules of docs/hyperparameters.md as a table. Need is 16 bytes for each weight
// that is trained, 2 for one that is not, and 1,000 for each token at a time, a fifth of that
// if activations are computed again.
func TestAuto(t *testing.T) {
	t.Parallel()
	need := func(params int64) func(outcrop.TrainSpec) int64 {
		return func(s outcrop.TrainSpec) int64 {
			perWeight, perToken := int64(16), int64(1000)
			if s.Method == outcrop.MethodLoRA {
				perWeight = 2
			}
			if s.Recompute {
				perToken /= 5
			}
			return perWeight*params + perToken*int64(s.MicroTokens)
		}
	}
	type facts = recipe.Facts
	small := facts{Rows: 5000, Tokens: 500_000, ValidationTokens: 50_000, Longest: 300, Params: 7_000_000}
	large := facts{Rows: 5000, Tokens: 500_000, Longest: 300, Params: 135_000_000}
	with := func(f facts, change func(*facts)) facts { change(&f); return f }
	for _, c := range []struct {
		name, hyper, given string // given: other hyperparameters, NAME VALUE
		f                  facts
		want               string
	}{
		{"method", "auto", "", small, "full"},
		{"method", "auto", "", with(large, func(f *facts) { f.MemoryBytes = 3 << 30 }), "full"},
		{"method", "auto", "", with(large, func(f *facts) { f.MemoryBytes = 2 << 30 }), "lora"},
		{"method", "auto", "", with(large, func(f *facts) { f.MemoryBytes = 2_160_200_000 }), "full"}, // with activations computed again
		{"method", "auto", "activationCheckpointing false", with(large, func(f *facts) { f.MemoryBytes = 2_160_200_000 }), "lora"},
		{"method", "auto", "microBatchTokens 65536", with(large, func(f *facts) { f.MemoryBytes = 2_160_200_000 }), "lora"},
		{"epochCount", "auto", "", small, "3"},
		{"epochCount", "auto", "", with(small, func(f *facts) { f.Rows = 999 }), "4"},
		{"epochCount", "auto", "", with(small, func(f *facts) { f.Rows = 10 }), "10"},
		{"epochCount", "auto", "", with(small, func(f *facts) { f.Rows = 40_000 }), "2"},
		{"epochCount", "auto", "", with(small, func(f *facts) { f.Rows = 1_000_000 }), "1"},
		{"batchSize", "auto", "", small, "64"},
		{"batchSize", "auto", "", with(small, func(f *facts) { f.Rows = 1000 }), "8"},
		{"batchSize", "auto", "", with(small, func(f *facts) { f.Rows = 10 }), "1"},
		{"learningRate", "auto", "", small, "0.0005"},
		{"learningRate", "auto", "batchSize 64", small, "0.001"},
		{"learningRate", "auto", "", large, "0.00011"},
		{"learningRate", "auto", "method lora", large, "0.0011"},
		{"learningRate", "auto", "method lora", small, "0.002"},
		{"learningRate", "auto", "", with(large, func(f *facts) { f.Params = 7e12 }), "0.000001"},
		{"learningRateMultiplier", "auto", "", small, "1"},
		{"learningRateWarmupSteps", "auto", "", small, "47"},
		{"learningRateWarmupSteps", "auto", "batchSize 1", small, "250"},
		{"schedule", "auto", "", small, "linear"},
		{"weightDecay", "auto", "", small, "0.01"},
		{"weightDecay", "auto", "method lora", small, "0"},
		{"gradientClip", "auto", "", small, "1"},
		{"dither", "auto", "", small, "true"},
		{"loraRank", "auto", "method lora", small, "16"},
		{"loraRank", "auto", "method lora", with(small, func(f *facts) { f.Rows = 999 }), "8"},
		{"loraRank", "auto", "method lora", with(small, func(f *facts) { f.Rows = 10_000 }), "32"},
		{"loraAlpha", "auto", "method lora,loraRank 12", small, "24"},
		{"loraAlpha", "auto", "method lora,loraRank 16,rsLora true", small, "8"},
		{"loraAlpha", "auto", "method lora,loraRank 256,rsLora auto", small, "32"},
		{"loraDropout", "auto", "method lora", small, "0"},
		{"loraDropout", "auto", "method lora", with(small, func(f *facts) { f.Rows = 999 }), "0.05"},
		{"loraTargets", "auto", "method lora", small, "all linear layers"},
		{"rsLora", "auto", "method lora,loraRank 64", small, "false"},
		{"rsLora", "auto", "method lora,loraRank 65", small, "true"},
		{"maxSequenceLength", "auto", "", small, "the model's context"},
		{"microBatchTokens", "auto", "", small, "1024"},
		{"microBatchTokens", "auto", "", with(large, func(f *facts) { f.MemoryBytes = 2_161_500_000 }), "1024"},
		{"microBatchTokens", "auto", "", with(large, func(f *facts) { f.MemoryBytes = 2_160_200_000 }), "512"},
		{"microBatchTokens", "auto", "activationCheckpointing true", with(large, func(f *facts) { f.MemoryBytes = 2_160_300_000 }), "1024"},
		{"activationCheckpointing", "auto", "", small, "false"},
		{"activationCheckpointing", "auto", "", with(large, func(f *facts) { f.MemoryBytes = 2_160_200_000 }), "true"},
		{"activationCheckpointing", "auto", "", with(large, func(f *facts) { f.MemoryBytes = 2_170_000_000 }), "false"},
		{"evaluationInterval", "auto", "", small, "118"},                                                                                                                // of 939 steps
		{"evaluationInterval", "auto", "batchSize 1", large, "1875"},                                                                                                    // no validation data: eight times, if there were
		{"evaluationInterval", "auto", "epochCount 1", with(small, func(f *facts) { f.ValidationTokens = 5_000_000 }), "313"},                                           // longer than the training itself: at the end
		{"evaluationInterval", "auto", "epochCount 2,batchSize 10", with(small, func(f *facts) { f.Rows, f.Tokens, f.ValidationTokens = 1000, 100_000, 20_000 }), "45"}, // 15 % allow 4.5
		{"evaluationInterval", "auto", "epochCount 2,batchSize 10,method lora", with(small, func(f *facts) { f.Rows, f.Tokens, f.ValidationTokens = 1000, 100_000, 20_000 }), "67"},
		{"evaluationInterval", "auto", "epochCount 2,batchSize 10,bestCheckpoint exactMatch", with(small, func(f *facts) { f.Rows, f.Tokens, f.ValidationTokens = 1000, 100_000, 20_000 }), "89"},
		{"evaluationInterval", "auto", "", with(small, func(f *facts) { f.Rows, f.Tokens = 3, 300 }), "3"},
		{"earlyStoppingPatience", "auto", "", small, "3"},
		{"earlyStoppingPatience", "auto", "", large, "0"},
		{"earlyStoppingThreshold", "auto", "", small, "0.001"},
		{"bestCheckpoint", "auto", "", small, "last"},
		{"bestCheckpoint", "auto", "earlyStoppingPatience auto", small, "validationLoss"},
		{"keepCheckpoints", "auto", "", small, "0"},
	} {
		hp := []string{c.name, c.hyper, "epochCount", "3", "batchSize", "16"}
		if c.name == "epochCount" || c.name == "batchSize" {
			hp = hp[:2]
		}
		if c.name == "batchSize" {
			hp = append(hp, "epochCount", "3")
		}
		hp = append(hp, words(c.given)...)
		if c.f.Need = need(c.f.Params); c.f.MemoryBytes > 0 {
			c.f.MemoryBytes = c.f.MemoryBytes * 10 / 9
		}
		open := parse(t, hp...)
		spec := recipe.Resolve(open, c.f)
		if got := recipe.Values(spec)[c.name]; got != c.want || spec.Open != nil {
			t.Errorf("%s with %q and %+v: got %s, want %s", c.name, c.given, c.f, got, c.want)
		}
		if again := recipe.Resolve(open, c.f); !reflect.DeepEqual(again, spec) {
			t.Errorf("%s: the same facts gave %+v and %+v", c.name, spec, again)
		}
	}
}

// words splits "a b,c d" into names and values.
func words(s string) (out []string) {
	for from, i := 0, 0; i <= len(s) && s != ""; i++ {
		if i == len(s) || s[i] == ' ' || s[i] == ',' {
			out, from = append(out, s[from:i]), i+1
		}
	}
	return out
}
