package model

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"outcrop.dev/outcrop/engine/nn"
)

// family is what one model_type adds to the decoder that they all are.
type family struct {
	parse   func(b []byte) (Config, error)
	marshal func(Config) ([]byte, error)
	weights func(Config) *weights
	// shape says what all blocks of a model compute; what differs between layers, and the
	// epsilon, are put in afterwards.
	shape func(Config) nn.Shape
	// embedScale is what rows of the embedding are multiplied by; nil means 1.
	embedScale func(Config) float32
	prefixes   []prefix
	// ignored are patterns, as package path has them, of tensors that say nothing new.
	ignored []string
}

// prefix is what names may begin with in a file that was saved with less of the model
// around them, or more.
type prefix struct{ name, file string }

// families is keyed by model_type.
var families map[string]family

func init() { // the families' functions refer to the map
	families = map[string]family{
		"llama": llama, "mistral": mistral, "qwen2": qwen2, "qwen3": qwen3, "phi3": phi3,
		"gpt2": gpt2, "gpt_neox": gptNeoX, gemma3Text: gemma3, gemma3Pictures: gemma3,
	}
}

func familyOf(modelType string) (family, error) {
	f, ok := families[modelType]
	if !ok {
		names := strings.Join(slices.Sorted(maps.Keys(families)), ", ")
		return family{}, fmt.Errorf("model_type %q is not known: this engine runs %s", modelType, names)
	}
	return f, nil
}

// headNames are the heads of all families: a tied one may be in a file all the same.
var headNames = []string{"lm_head.weight", "language_model.lm_head.weight", "embed_out.weight"}

// ignores tells whether a tensor of the file may be left out.
func (f family) ignores(name string, c Config) bool {
	return c.Tied && slices.Contains(headNames, name) || slices.ContainsFunc(f.ignored, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}
