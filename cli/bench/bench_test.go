package bench

import (
	"math"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// env has a clock that goes on one second a look.
func env(t *testing.T) Env {
	p := tensor.NewPool(2)
	t.Cleanup(p.Close)
	now := time.Unix(0, 0)
	return Env{
		Exec: nn.Exec{Pool: p, Kernel: gemm.Best()}, Seconds: 3,
		Now: func() time.Time { now = now.Add(time.Second); return now },
	}
}

var tiny = Shape{Name: "tiny", About: "for tests", Model: decoder(64, 96, 1, 1, 1, 100), Rows: 3, Length: 10, Prompt: 7, Generate: 5}

func TestTrain(t *testing.T) {
	t.Parallel()
	r, err := Train(env(t), tiny, Full)
	if err != nil {
		t.Fatal(err)
	}
	low, err := Train(env(t), tiny, LoRA)
	if err != nil {
		t.Fatal(err)
	}
	if part := low.FLOPS / r.FLOPS; low.Method != LoRA || !(part > 0.66 && part < 0.75) {
		t.Errorf("LoRA counts %.3f of the operations of full fine-tuning", part)
	}
	if _, err := Train(env(t), tiny, "qlora"); err == nil {
		t.Error("an unknown method is measured")
	}
	if r.Steps != 3 || r.TokensPerSecond != 30 || r.Best != 30 || r.PeakRSS < 1<<20 {
		t.Errorf("%+v", r)
	}
	if want := 30 * tiny.Model.FLOPs(10); math.Abs(r.FLOPS-want) > 1e-9*want {
		t.Errorf("%g FLOP/s, want %g", r.FLOPS, want)
	}
	if s := r.String(); !strings.Contains(s, "30 tokens/s") || !strings.Contains(s, r.Kernel) {
		t.Error(s)
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	r, err := Generate(env(t), tiny, 4)
	if err != nil {
		t.Fatal(err)
	}
	if r.Prompt != 7 || r.Generate != 20 || r.Weights < 2*(tiny.Model.Params()-tiny.Model.Vocab*64) {
		t.Errorf("%+v", r)
	}
	if s := r.String(); !strings.Contains(s, "4 sessions together: 20 tokens/s") {
		t.Error(s)
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	r, err := Machine(env(t), "a CPU")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Peaks) != len(gemm.Kernels()) || r.Bandwidth <= 0 {
		t.Errorf("%+v", r)
	}
	if s := r.String(); !strings.Contains(s, "a CPU, 2 threads") || !strings.Contains(s, "ref-f32") {
		t.Error(s)
	}
}

// TestShapes: the named shapes are the models they say.
func TestShapes(t *testing.T) {
	t.Parallel()
	for name, params := range map[string]float64{"xs": 6.9e6, "a": 8.4e6, "b": 134.5e6} {
		s, err := ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := float64(s.Model.Params()); s.Model.Check() != nil || math.Abs(n-params) > 0.01*params {
			t.Errorf("%s has %g weights, want %g; %v", name, n, params, s.Model.Check())
		}
		if s.Prompt+s.Generate > s.Model.Context || s.Length > s.Model.Context {
			t.Errorf("%s is longer than its model's positions", name)
		}
	}
	if _, err := ByName("c"); err == nil || !strings.Contains(err.Error(), "xs, a, b") {
		t.Errorf("ByName: %v", err)
	}
}
