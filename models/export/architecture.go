package export

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/gguf"
)

// architecture is how llama.cpp knows a family: its name, its keys, its tensors.
type architecture struct {
	name string // general.architecture
	// keys sets the keys; the error says what of the model llama.cpp cannot do.
	keys    func(*conversion) error
	tensors []rule
	// prefixes are what names may begin with in some files, and what the rules have for it.
	prefixes []prefix
	ignored  []string // patterns, as package path has them, of tensors that say nothing new
}

type prefix struct{ file, name string }

// rule is one kind of tensor. Names hold one * for the number of the layer, or none; to them
// comes ".weight" or ".bias".
type rule struct {
	from, to string
	change   func(model.Config) change // nil if it is taken as it is
	exact    bool                      // float32 whatever the type of the matrices is
}

// architectures is keyed by model.Config's Family.
var architectures = map[string]architecture{
	"llama": llama, "mistral": llama, "qwen2": qwen2, "qwen3": qwen3, "phi3": phi3, "gpt2": gpt2, "gpt_neox": gptNeoX,
	"gemma3_text": gemma3,
}

// GGUFFamilies returns the families that GGUF writes, as Hugging Face's model_type calls them.
func GGUFFamilies() []string { return slices.Sorted(maps.Keys(architectures)) }

// weights makes the tensors, in the order of their names' numbers, after those that convert
// has made from the configuration.
func (g *conversion) weights(a architecture) error {
	names := g.files.Names()
	slices.SortFunc(names, compareNumbered)
	for _, name := range names {
		if slices.ContainsFunc(a.ignored, func(p string) bool { ok, _ := path.Match(p, name); return ok }) {
			continue
		}
		t, err := g.tensor(a, name)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		if g.config.Tied && t.Name == "output.weight" {
			continue
		}
		g.tensors = append(g.tensors, t)
	}
	return nil
}

// tensor makes one tensor of the model's file.
func (g *conversion) tensor(a architecture, name string) (gguf.Tensor, error) {
	r, renamed, ok := a.find(name)
	if !ok {
		return gguf.Tensor{}, fmt.Errorf("llama.cpp's %s has none like it", a.name)
	}
	var c change
	if r.change != nil {
		c = r.change(g.config)
	}
	t, err := g.source(name, c)
	if err != nil {
		return gguf.Tensor{}, err
	}
	t.Name, t.Type = renamed, g.typeOf(t.Shape, r.exact)
	return t, nil
}

// find returns the rule for a tensor of a file, and its name by it.
func (a *architecture) find(name string) (r rule, renamed string, ok bool) {
	for _, p := range a.prefixes {
		if rest, ok := strings.CutPrefix(name, p.file); ok {
			name = p.name + rest
			break
		}
	}
	base, kind, _ := cutLast(name, ".")
	if kind != "weight" && kind != "bias" {
		return r, "", false
	}
	for _, r := range a.tensors {
		if layer, ok := matchLayer(r.from, base); ok {
			return r, strings.Replace(r.to, "*", layer, 1) + "." + kind, true
		}
	}
	return r, "", false
}

// typeOf returns the type of a tensor: vectors are float32, as llama.cpp wants them.
func (g *conversion) typeOf(shape []int, exact bool) gguf.Type {
	switch {
	case len(shape) == 1 || exact:
		return gguf.F32
	case !g.typ.Fits(shape[len(shape)-1]):
		return gguf.F16
	}
	return g.typ
}

// matchLayer matches name with a pattern of one * at most, which stands for a number.
func matchLayer(pattern, name string) (layer string, ok bool) {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return "", name == pattern
	}
	rest, begins := strings.CutPrefix(name, before)
	layer, ends := strings.CutSuffix(rest, after)
	if _, err := strconv.Atoi(layer); !begins || !ends || err != nil {
		return "", false
	}
	return layer, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// compareNumbered orders names with layer 9 before layer 10.
func compareNumbered(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	return slices.CompareFunc(as, bs, func(x, y string) int {
		i, errX := strconv.Atoi(x)
		j, errY := strconv.Atoi(y)
		if errX == nil && errY == nil {
			return i - j
		}
		return strings.Compare(x, y)
	})
}
