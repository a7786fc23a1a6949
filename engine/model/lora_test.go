package model

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/safetensors"
)

var someLoRA = LoRA{Rank: 3, Alpha: 6, Targets: []string{"q_proj", "v_proj", "up_proj", "down_proj"}, Seed: 4}

// newLoRA returns a model with adapters whose B is not zero, planned for b.
func newLoRA(t testing.TB, c Config, exec nn.Exec, l LoRA, b Budget) *Model {
	t.Helper()
	m := newModel(t, c, exec, Budget{Tokens: 1, Longest: 1})
	if err := m.AddLoRA(l); err != nil {
		t.Fatal(err)
	}
	fillB(m, 8)
	if err := m.Plan(b); err != nil {
		t.Fatal(err)
	}
	return m
}

// fillB gives every B random numbers.
func fillB(m *Model, seed uint64) {
	for i, a := range m.adapters {
		fillNormal(a.B, rand.New(rand.NewPCG(seed, uint64(i))), 0.2)
	}
}

// TestLoRAGradients compares the gradients of all factors with central differences, and
// checks that nothing else has one.
func TestLoRAGradients(t *testing.T) {
	t.Parallel()
	for _, l := range []LoRA{
		someLoRA,
		{Rank: 2, Alpha: 3, RSLoRA: true, Seed: 1},
		{Rank: 2, Alpha: 3, Targets: []string{"k_proj", "layers.1.mlp.gate_proj", "o_proj"}, Dropout: 0.3, Seed: 2},
	} {
		t.Run(fmt.Sprint(l.Targets), func(t *testing.T) {
			t.Parallel()
			m := newLoRA(t, tiny(true), newExec(t, 2, kernel(t, "ref-f32")), l, Budget{Tokens: 40, Longest: 20, Train: true})
			b := randomBatch(m.Config, 3, 7, 1, 20, 5)
			if _, err := m.Accumulate(b, 1/float32(b.Trained())); err != nil {
				t.Fatal(err)
			}
			if d := m.dropout(); d != nil { // Evaluate drops what Accumulate did
				d.Row, d.On = 0, true
			}
			for _, p := range m.Trainable() {
				checkDirection(t, m, b, p, append([]float32(nil), p.G...), "its gradient")
			}
			for _, p := range m.Params() {
				if p.G != nil {
					t.Errorf("%s is frozen and has a gradient", p.Name)
				}
			}
		})
	}
}

// TestAddLoRA: a new adapter changes nothing, bit for bit, and its A is PEFT's.
func TestAddLoRA(t *testing.T) {
	t.Parallel()
	for _, d := range []DType{BFloat16, Float32} {
		c := tiny(false)
		c.DType = d
		exec := newExec(t, 2, gemm.Best())
		m := newModel(t, c, exec, Budget{Tokens: 20, Longest: 20})
		if d == BFloat16 {
			for _, p := range m.Params() {
				if !p.Vector {
					roundBF16(p.W)
				}
			}
		}
		tokens := randomBatch(c, 1, 20).Tokens
		want := trainingLogits(t, m, tokens)
		if err := m.AddLoRA(LoRA{Rank: 4, Alpha: 8}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Evaluate(&Batch{}); err == nil {
			t.Error("the plan of before is still used")
		}
		if err := m.Plan(Budget{Tokens: 20, Longest: 20}); err != nil {
			t.Fatal(err)
		}
		if !sameBits(trainingLogits(t, m, tokens), want) {
			t.Errorf("%s: a new adapter changes the logits", d)
		}
		a := m.Trainable()[0]
		var largest float64
		for _, x := range a.W {
			largest = max(largest, math.Abs(float64(x)))
		}
		if bound := 1 / math.Sqrt(float64(c.Hidden)); !(largest <= bound && largest > 0.9*bound) {
			t.Errorf("A is within ±%g, want nearly %g", largest, bound)
		}
		if err := m.AddLoRA(LoRA{Rank: 4, Alpha: 8}); err == nil {
			t.Error("adapters are added twice")
		}
		if err := m.Save(t.TempDir()); err == nil {
			t.Error("a frozen model is saved")
		}
	}
}

func TestLoRARefuses(t *testing.T) {
	t.Parallel()
	good := LoRA{Rank: 1, Alpha: 1}
	for _, x := range []struct {
		change func(*LoRA)
		want   string
	}{
		{func(l *LoRA) {}, ""},
		{func(l *LoRA) { l.Rank = RankMax }, ""},
		{func(l *LoRA) { l.Alpha = AlphaMax }, ""},
		{func(l *LoRA) { l.Dropout = dropoutMax }, ""},
		{func(l *LoRA) { l.Targets = []string{"q_proj", "mlp.up_proj"} }, ""},
		{func(l *LoRA) { l.Rank = 0 }, "rank"},
		{func(l *LoRA) { l.Rank = RankMax + 1 }, "rank"},
		{func(l *LoRA) { l.Alpha = 0 }, "alpha"},
		{func(l *LoRA) { l.Alpha = AlphaMax + 1 }, "alpha"},
		{func(l *LoRA) { l.Alpha = math.NaN() }, "alpha"},
		{func(l *LoRA) { l.Dropout = -0.1 }, "dropout"},
		{func(l *LoRA) { l.Dropout = 0.96 }, "dropout"},
		{func(l *LoRA) { l.Dropout = math.NaN() }, "dropout"},
		{func(l *LoRA) { l.Targets = []string{"q_proj", "c_attn"} }, `"c_attn"`},
		{func(l *LoRA) { l.Targets = []string{"proj"} }, "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"},
		{func(l *LoRA) { l.Targets = []string{"embed_tokens"} }, `"embed_tokens"`},
		{func(l *LoRA) { l.Targets = slices.Repeat([]string{"q_proj"}, targetsMax+1) }, "targets"},
	} {
		l := good
		x.change(&l)
		err := l.Check(tiny(true))
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%+v: %v, want %q", l, err, x.want)
		}
	}
}

// TestSaveLoadAdapter: a saved adapter computes what it did, on weights that are loaded
// frozen, bit for bit, and is saved as the same bytes again.
func TestSaveLoadAdapter(t *testing.T) {
	t.Parallel()
	for _, l := range []LoRA{
		someLoRA, {Rank: 2, Alpha: 3.5, RSLoRA: true, Dropout: 0.1, Base: "org/base"},
		{Rank: 2, Alpha: 1, Targets: []string{"layers.1.self_attn.k_proj"}},
	} {
		for _, d := range []DType{BFloat16, Float32} {
			c := tiny(true)
			c.DType = d
			exec, dir, base := newExec(t, 2, gemm.Best()), t.TempDir(), t.TempDir()
			if err := newModel(t, c, exec, Budget{Tokens: 1, Longest: 1}).Save(base); err != nil {
				t.Fatal(err)
			}
			m := newLoRA(t, c, exec, l, Budget{Tokens: 20, Longest: 20})
			if err := m.SaveAdapter(dir); err != nil {
				t.Fatal(err)
			}
			back := loadFrozen(t, base, exec)
			if err := back.LoadAdapter(dir); err != nil {
				t.Fatal(err)
			}
			if err := back.Plan(Budget{Tokens: 20, Longest: 20}); err != nil {
				t.Fatal(err)
			}
			tokens := randomBatch(c, 1, 20).Tokens
			if !sameBits(trainingLogits(t, back, tokens), trainingLogits(t, m, tokens)) {
				t.Errorf("%+v: the loaded adapter gives other logits", l)
			}
			got, _ := back.LoRA()
			if got.Rank != l.Rank || got.Alpha != l.Alpha || got.RSLoRA != l.RSLoRA || got.Dropout != l.Dropout || got.Base != l.Base {
				t.Errorf("read %+v, wrote %+v", got, l)
			}
			again := t.TempDir()
			if err := back.SaveAdapter(again); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{AdapterConfigFile, AdapterWeightsFile} {
				if a, b := readFile(t, dir, name), readFile(t, again, name); a != b {
					t.Errorf("%s is written differently the second time:\n%.500s\n%.500s", name, a, b)
				}
			}
		}
	}
}

func loadFrozen(t testing.TB, dir string, exec nn.Exec) *Model {
	t.Helper()
	m, err := LoadFrozen(dir, exec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func readFile(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestMerge: merged weights compute what the adapter does, but for rounding.
func TestMerge(t *testing.T) {
	t.Parallel()
	c := tiny(false)
	exec, dir, base := newExec(t, 2, kernel(t, "ref-f32")), t.TempDir(), t.TempDir()
	merged := newModel(t, c, exec, Budget{Tokens: 20, Longest: 20})
	if err := merged.Save(base); err != nil {
		t.Fatal(err)
	}
	m := newLoRA(t, c, exec, someLoRA, Budget{Tokens: 20, Longest: 20})
	if err := m.SaveAdapter(dir); err != nil {
		t.Fatal(err)
	}
	tokens := randomBatch(c, 1, 20).Tokens
	want, before := trainingLogits(t, m, tokens), trainingLogits(t, merged, tokens)
	if err := merged.Merge(dir); err != nil {
		t.Fatal(err)
	}
	if err := m.Merge(dir); err == nil {
		t.Error("merged into frozen weights")
	}
	got := trainingLogits(t, merged, tokens)
	if d := largestDifference(got, want); d > 1e-5 { // 2.4e-6 was seen
		t.Errorf("merged logits differ by %g", d)
	}
	if d := largestDifference(before, want); d < 0.1 {
		t.Errorf("the adapter changes the logits by %g only: the test shows nothing", d)
	}
}

// TestFamilyLoRA: in every family the gradients of the factors are the slopes of the loss; an
// adapter that is saved and loaded, in training and in serving, gives the same bits; and
// merged weights compute what it does, wherever the files have their rows.
func TestFamilyLoRA(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		c.DType = Float32
		exec, dir, base := newExec(t, 2, kernel(t, "ref-f32")), t.TempDir(), t.TempDir()
		if err := newModel(t, c, exec, Budget{Tokens: 1, Longest: 1}).Save(base); err != nil {
			t.Fatal(err)
		}
		plan := Budget{Tokens: 40, Longest: 20, Train: true}
		m := loadFrozen(t, base, exec)
		if err := m.AddLoRA(LoRA{Rank: 3, Alpha: 6}); err != nil {
			t.Fatal(err)
		}
		fillB(m, 8)
		if err := m.Plan(plan); err != nil {
			t.Fatal(err)
		}
		b := randomBatch(c, 3, 7, 1, 20, 5)
		if _, err := m.Accumulate(b, 1/float32(b.Trained())); err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Trainable() {
			checkDirection(t, m, b, p, append([]float32(nil), p.G...), "its gradient")
		}
		if err := m.SaveAdapter(dir); err != nil {
			t.Fatal(err)
		}
		tokens := b.Tokens[8:28]
		want := trainingLogits(t, m, tokens)

		back := loadFrozen(t, base, exec)
		if err := back.LoadAdapter(dir); err != nil {
			t.Fatal(err)
		}
		if err := back.Plan(plan); err != nil {
			t.Fatal(err)
		}
		if !sameBits(trainingLogits(t, back, tokens), want) {
			t.Error("the loaded adapter gives other logits")
		}
		last := want[19*c.Vocab:]
		if got := serve(t, base, dir, exec, tokens); !sameBits(got, last) {
			t.Error("serving gives other logits than training")
		}
		merged, err := Load(base, exec)
		if err != nil {
			t.Fatal(err)
		}
		defer merged.Close()
		if err := merged.Merge(dir); err != nil {
			t.Fatal(err)
		}
		out := t.TempDir()
		if err := merged.Save(out); err != nil {
			t.Fatal(err)
		}
		if d := largestDifference(serve(t, out, "", exec, tokens), last); d > 1e-4 {
			t.Errorf("merged logits differ by %g", d)
		}
		if d := largestDifference(serve(t, base, "", exec, tokens), last); d < 0.05 {
			t.Errorf("the adapter changes the logits by %g only: the test shows nothing", d)
		}
	})
}

// serve returns the logits after tokens of the model in base with the adapter in dir, or
// without one if dir is empty.
func serve(t *testing.T, base, dir string, exec nn.Exec, tokens []int32) []float32 {
	t.Helper()
	s, err := LoadServing(base, exec)
	if err != nil {
		t.Fatal(err)
	}
	n := newSession(t, s)
	if dir != "" {
		a, err := s.LoadAdapter(dir)
		if err != nil {
			t.Fatal(err)
		}
		if n, err = a.NewSession(len(tokens)); err != nil {
			t.Fatal(err)
		}
	}
	return forward(t, s, Step{n, tokens})
}

func largestDifference(a, b []float32) (d float64) {
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

// TestAdapterRefuses: each flaw of an adapter's directory is an error that names it, in
// training, serving and merging.
func TestAdapterRefuses(t *testing.T) {
	t.Parallel()
	exec := newExec(t, 1, gemm.Best())
	c, base := tiny(true), t.TempDir()
	if err := newModel(t, c, exec, Budget{Tokens: 1, Longest: 1}).Save(base); err != nil {
		t.Fatal(err)
	}
	good := t.TempDir()
	if err := newLoRA(t, c, exec, someLoRA, Budget{Tokens: 1, Longest: 1}).SaveAdapter(good); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name   string
		member string
		value  any
		want   string
	}{
		{"type", "peft_type", "IA3", `peft_type is "IA3"`},
		{"no type", "peft_type", nil, "peft_type"},
		{"rank", "r", 4, "promise [4"},
		{"rank 0", "r", 0, "rank of LoRA is 0"},
		{"rank text", "r", "8", "json"},
		{"alpha", "lora_alpha", -1, "alpha of LoRA"},
		{"bias", "bias", "all", `bias is "all"`},
		{"DoRA", "use_dora", true, "use_dora is true"},
		{"patterns", "rank_pattern", map[string]int{"q_proj": 4}, "rank_pattern is"},
		{"modules", "modules_to_save", []string{"lm_head"}, "modules_to_save is"},
		{"PiSSA", "init_lora_weights", "pissa", "another base"},
		{"harmless", "alpha_pattern", map[string]int{}, ""},
		{"gaussian", "init_lora_weights", "gaussian", ""},
		{"pattern", "target_modules", `.*\.(q_proj|v_proj|up_proj|down_proj)`, ""},
		{"wide pattern", "target_modules", ".*_proj", `layers.0.self_attn.k_proj.lora_A.weight" is missing`},
		{"Python's pattern", "target_modules", "(?!x).*_proj", ""},
		{"all", "target_modules", "all-linear", `k_proj.lora_A.weight" is missing`},
		{"more targets", "target_modules", []string{"q_proj", "v_proj", "up_proj", "down_proj", "o_proj"}, `o_proj.lora_A.weight" is missing`},
		{"fewer targets", "target_modules", []string{"q_proj", "v_proj", "up_proj"}, "down_proj is adapted, but target_modules"},
		{"bad targets", "target_modules", 7, "target_modules must be"},
		{"no targets", "target_modules", nil, ""},
		{"layers", "layers_to_transform", []int{0, 1}, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			var members map[string]any
			if err := json.Unmarshal([]byte(readFile(t, good, AdapterConfigFile)), &members); err != nil {
				t.Fatal(err)
			}
			members[x.member] = x.value
			b, _ := json.Marshal(members)
			refuseAdapter(t, base, exec, string(b), readFile(t, good, AdapterWeightsFile), x.want)
		})
	}
	for _, x := range []struct {
		name  string
		spoil func([]safetensors.Tensor) []safetensors.Tensor
		want  string
	}{
		{"missing", func(ts []safetensors.Tensor) []safetensors.Tensor { return ts[1:] }, `layers.0.self_attn.q_proj.lora_A.weight" is missing`},
		{"cut off", func(ts []safetensors.Tensor) []safetensors.Tensor { return ts[:len(ts)-2] }, `layers.1.mlp.down_proj.lora_A.weight" is missing`},
		{"none", func(ts []safetensors.Tensor) []safetensors.Tensor { return nil }, "no tensors"},
		{"other name", func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0].Name = "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector"
			return ts
		}, "is not a factor"},
		{"other layer", func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0].Name = "base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight"
			return ts
		}, "adapts no linear layer of a llama model with 2 layers"},
		{"embedding", func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0].Name = "base_model.model.model.embed_tokens.lora_A.weight"
			return ts
		}, "adapts no linear layer"},
		{"shape", func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0].Shape = []int{24, 3}
			return ts
		}, "has shape [24 3]"},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			m := newLoRA(t, c, exec, someLoRA, Budget{Tokens: 1, Longest: 1})
			path := filepath.Join(t.TempDir(), AdapterWeightsFile)
			ts := tensorsWithData(m.Trainable(), func(*nn.Param) bool { return false })
			if err := safetensors.WriteFile(path, x.spoil(ts)); err != nil {
				t.Fatal(err)
			}
			refuseAdapter(t, base, exec, readFile(t, good, AdapterConfigFile), readFile(t, filepath.Dir(path), AdapterWeightsFile), x.want)
		})
	}
}

// refuseAdapter checks that every reader of an adapter gives the error; "" is none.
func refuseAdapter(t *testing.T, base string, exec nn.Exec, config, weights, want string) {
	t.Helper()
	dir := t.TempDir()
	for name, s := range map[string]string{AdapterConfigFile: config, AdapterWeightsFile: weights} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	full, err := Load(base, exec)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	s, err := LoadServing(base, exec)
	if err != nil {
		t.Fatal(err)
	}
	_, checked := CheckAdapter(dir, full.Config)
	_, served := s.LoadAdapter(dir)
	for who, err := range map[string]error{
		"LoadAdapter": loadFrozen(t, base, exec).LoadAdapter(dir), "Merge": full.Merge(dir), "CheckAdapter": checked, "Serving": served,
	} {
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", who, err, want)
		}
	}
}

// FuzzParseAdapterConfig: no content makes the parser panic, and what it accepts is in range.
func FuzzParseAdapterConfig(f *testing.F) {
	f.Add([]byte(`{"peft_type":"LORA","r":8,"lora_alpha":16,"target_modules":["q_proj"],"bias":"none"}`))
	f.Add([]byte(`{"peft_type":"LORA","init_lora_weights":"pissa","rank_pattern":{},"lora_dropout":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseAdapterConfig(b); err == nil && p.lora.checkNumbers() != nil {
			t.Errorf("accepted %+v", p.lora)
		}
	})
}

// TestMeasureLoRA: what Measure says of a model with adapters is what Plan takes, and the
// frozen weights take half.
func TestMeasureLoRA(t *testing.T) {
	t.Parallel()
	c := tiny(true)
	c.DType = BFloat16
	exec, l := newExec(t, 1, gemm.Best()), LoRA{Rank: 3, Alpha: 1, Dropout: 0.5}
	b := Budget{Tokens: 30, Longest: 20, Train: true, LoRA: &l}
	got := c.Measure(exec, b)
	m := newLoRA(t, c, exec, l, b)
	trained := lengthOf(m.Trainable())
	if got.Gradients != 4*trained || c.TrainableParams(&l) != trained {
		t.Errorf("%d bytes of gradients, %d numbers are trained, not %d", got.Gradients, c.TrainableParams(&l), trained)
	}
	norms := 5 * c.Hidden
	if want := 2*(c.Params()-norms) + 4*norms + 4*trained; got.Weights != want {
		t.Errorf("%d bytes of weights, want %d", got.Weights, want)
	}
	if want := m.measure(exec, m.weights, b); got.Activations != want {
		t.Errorf("%d bytes of activations, want %d", got.Activations, want)
	}
	b.LoRA = nil
	if full := c.Measure(exec, b); full.Activations >= got.Activations {
		t.Errorf("adapters take no memory: %d bytes, %d without", got.Activations, full.Activations)
	}
}
