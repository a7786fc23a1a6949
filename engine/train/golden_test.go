package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/safetensors"
)

// fixture was computed by PyTorch: tools/golden/llama_golden.py. adapterFixture is an adapter
// on its model, written and computed by PEFT: tools/golden/lora_golden.py.
const (
	fixture        = "../model/testdata/llama_golden.safetensors"
	adapterFixture = "../model/testdata/lora"
)

type golden struct {
	t       *testing.T
	file    *safetensors.File
	meta    map[string]string
	want    *safetensors.File // logits, gradients and losses
	adapter string            // directory; "" for none
}

func openGolden(t *testing.T) *golden {
	t.Helper()
	f := openFile(t, fixture)
	return &golden{t: t, file: f, meta: f.Metadata(), want: f}
}

// openAdapterGolden is openGolden of the model with the adapter.
func openAdapterGolden(t *testing.T) *golden {
	t.Helper()
	g := openGolden(t)
	g.want, g.adapter = openFile(t, filepath.Join(adapterFixture, "golden.safetensors")), adapterFixture
	return g
}

func openFile(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func (g *golden) tensor(f *safetensors.File, name string) []float32 {
	g.t.Helper()
	info, ok := f.Info(name)
	if !ok {
		g.t.Fatalf("no %s in the fixture", name)
	}
	x := make([]float32, info.Elements())
	if err := f.ReadFloat32(name, x); err != nil {
		g.t.Fatal(err)
	}
	return x
}

// param returns the tensors of p under a prefix, stacked as p stacks them.
func (g *golden) param(f *safetensors.File, prefix string, p *nn.Param) (x []float32) {
	if p.Parts == nil {
		return g.tensor(f, prefix+p.Name)
	}
	for _, part := range p.Parts {
		x = append(x, g.tensor(f, prefix+part.Name)...)
	}
	return x
}

// examples returns the documents of the fixture.
func (g *golden) examples() (es []Example) {
	var lengths []int
	g.json("lengths", &lengths)
	tokens, targets := g.tensor(g.file, "tokens"), g.tensor(g.file, "targets")
	at := 0
	for _, n := range lengths {
		e := Example{}
		for i := at; i < at+n; i++ {
			e.Tokens, e.Targets = append(e.Tokens, int32(tokens[i])), append(e.Targets, int32(targets[i]))
		}
		es, at = append(es, e), at+n
	}
	return es
}

func (g *golden) json(key string, v any) {
	g.t.Helper()
	if err := json.Unmarshal([]byte(g.meta[key]), v); err != nil {
		g.t.Fatal(err)
	}
}

// model returns the fixture's model, its weights loaded.
func (g *golden) model(k *gemm.Kernel) *model.Model {
	g.t.Helper()
	c, err := model.ParseConfig([]byte(g.meta["config"]))
	if err != nil {
		g.t.Fatal(err)
	}
	pool := tensor.NewPool(2)
	m, err := model.New(c, nn.Exec{Pool: pool, Kernel: k})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { m.Close(); pool.Close() })
	for _, p := range m.Params() {
		copy(p.W, g.param(g.file, "weight.", p))
	}
	if g.adapter != "" {
		if err := m.LoadAdapter(g.adapter); err != nil {
			g.t.Fatal(err)
		}
	}
	return m
}

// closeTo compares two tensors: the distance as a part of the wanted norm, rows of cols
// each on their own, so that a wrong row among many does not hide.
func closeTo(got, want []float32, cols int, tolerance float64) error {
	if len(got) != len(want) || len(want) == 0 {
		return fmt.Errorf("%d elements, want %d", len(got), len(want))
	}
	var all float64
	for _, w := range want {
		all += float64(w) * float64(w)
	}
	// A row that is nearly zero is measured against the mean row.
	floor := math.Sqrt(all / float64(len(want)/cols))
	for r := 0; r < len(want); r += cols {
		var d2, w2 float64
		for i := r; i < r+cols; i++ {
			d := float64(got[i]) - float64(want[i])
			d2, w2 = d2+d*d, w2+float64(want[i])*float64(want[i])
		}
		if scale := max(math.Sqrt(w2), 0.01*floor); !(math.Sqrt(d2) <= tolerance*scale) {
			return fmt.Errorf("row %d differs by %.2e of its norm, more than %.0e", r/cols, math.Sqrt(d2)/scale, tolerance)
		}
	}
	return nil
}

// tolerances: what float32 in another order leaves (largest seen: logits 8e-7, gradients
// 4.4e-6, losses 4.3e-5: AdamW divides tiny gradients by their own size), and what rounding
// the factors of products to bfloat16 leaves (0.010, 0.042, 0.014).
type tolerances struct{ logits, grad, loss float64 }

var exactTolerance, bf16Tolerance = tolerances{3e-6, 2e-5, 1.5e-4}, tolerances{0.03, 0.12, 0.04}

// TestGolden compares logits, every gradient and ten losses with PyTorch's, and with PEFT's
// where an adapter is trained.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, k := range gemm.Kernels() {
		for name, open := range map[string]func(*testing.T) *golden{"full": openGolden, "LoRA": openAdapterGolden} {
			t.Run(k.Name()+"/"+name, func(t *testing.T) {
				t.Parallel()
				g := open(t)
				tol := exactTolerance
				if k.BF16() {
					tol = bf16Tolerance
				}
				g.checkGradients(k, tol)
				g.checkLosses(k, tol)
			})
		}
	}
}

func (g *golden) checkGradients(k *gemm.Kernel, tol tolerances) {
	m := g.model(k)
	if err := m.Plan(model.Budget{Tokens: 64, Longest: 64, Train: true}); err != nil {
		g.t.Fatal(err)
	}
	b := &model.Batch{}
	for _, e := range g.examples() {
		b.Add(e.Tokens, e.Targets)
	}
	logits := make([]float32, len(b.Tokens)*m.Vocab)
	if err := m.Logits(logits, b); err != nil {
		g.t.Fatal(err)
	}
	if err := closeTo(logits, g.tensor(g.want, "logits"), m.Vocab, tol.logits); err != nil {
		g.t.Errorf("logits: %v", err)
	}
	if _, err := m.Accumulate(b, 1/float32(b.Trained())); err != nil {
		g.t.Fatal(err)
	}
	for _, p := range m.Trainable() {
		if err := closeTo(p.G, g.param(g.want, "grad.", p), p.Cols, tol.grad); err != nil {
			g.t.Errorf("gradient of %s: %v", p.Name, err)
		}
	}
}

func (g *golden) checkLosses(k *gemm.Kernel, tol tolerances) {
	var a struct {
		LR, Beta1, Beta2, Eps, Clip float64
		WeightDecay                 float64 `json:"weight_decay"`
		Steps                       int
	}
	g.json("adamw", &a)
	tr, err := New(g.model(k), Repeat(g.examples()), 64, Options{
		Steps: a.Steps, LearningRate: a.LR, Schedule: func(int) float64 { return 1 },
		Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps, WeightDecay: a.WeightDecay, Clip: a.Clip, MicroTokens: 64,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	defer tr.Close()
	for step, want := range g.tensor(g.want, "losses") {
		r, err := tr.Step()
		if err != nil {
			g.t.Fatal(err)
		}
		if d := math.Abs(r.Loss - float64(want)); !(d <= tol.loss*float64(want)) {
			g.t.Errorf("step %d: loss %.6f, PyTorch %.6f", step+1, r.Loss, want)
		}
	}
}

// TestCloseTo: the comparer refuses zeros, a swapped row, a scale of 1.001 and a NaN.
func TestCloseTo(t *testing.T) {
	t.Parallel()
	g := openGolden(t)
	const cols = 64
	want := g.tensor(g.want, "grad.model.layers.0.self_attn.q_proj.weight")
	if err := closeTo(append([]float32(nil), want...), want, cols, exactTolerance.grad); err != nil {
		t.Errorf("equal tensors: %v", err)
	}
	for name, spoil := range map[string]func(x []float32) []float32{
		"zeros": func(x []float32) []float32 { clear(x); return x },
		"swapped rows": func(x []float32) []float32 {
			for i := range cols {
				x[i], x[cols+i] = x[cols+i], x[i]
			}
			return x
		},
		"scale": func(x []float32) []float32 {
			for i := range x {
				x[i] *= 1.001
			}
			return x
		},
		"NaN":   func(x []float32) []float32 { x[7] = float32(math.NaN()); return x },
		"short": func(x []float32) []float32 { return x[cols:] },
	} {
		if closeTo(spoil(append([]float32(nil), want...)), want, cols, exactTolerance.grad) == nil {
			t.Errorf("%s pass", name)
		}
	}
}

// TestFixtureSize: the fixture stays small, and its script stands where its metadata's
// reader will look for it.
func TestFixtureSize(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(fixture)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 1<<20 {
		t.Errorf("the fixture has %d bytes", info.Size())
	}
	if _, err := os.Stat(filepath.FromSlash("../../tools/golden/llama_golden.py")); err != nil {
		t.Error(err)
	}
}
