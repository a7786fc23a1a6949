package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// tiny is a shape with no round number in it.
func tiny(tied bool) Config {
	return Config{
		Family: "llama", Hidden: 24, FFN: 37, Layers: 2, Heads: 4, KVHeads: 2, HeadSize: 6, Vocab: 41,
		Context: 32, NormEps: 1e-5, Theta: 10000, Tied: tied, DType: Float32,
	}
}

func kernel(t testing.TB, name string) *gemm.Kernel {
	k, err := gemm.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newExec(t testing.TB, threads int, kernel *gemm.Kernel) nn.Exec {
	p := tensor.NewPool(threads)
	t.Cleanup(p.Close)
	return nn.Exec{Pool: p, Kernel: kernel}
}

// newModel returns a model with random weights, norms too, that are large enough for every
// part of it to matter.
func newModel(t testing.TB, c Config, exec nn.Exec, b Budget) *Model {
	m, err := New(c, exec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range m.Params() {
		for i := range p.W {
			p.W[i] = float32(r.NormFloat64() * 0.2)
			p.W[i] += p.Start
		}
	}
	if err := m.Plan(b); err != nil {
		t.Fatal(err)
	}
	return m
}

// randomBatch returns documents of the given lengths; about a quarter of the tokens have
// no target.
func randomBatch(c Config, seed uint64, lengths ...int) *Batch {
	r := rand.New(rand.NewPCG(seed, 7))
	b := &Batch{}
	for _, n := range lengths {
		tokens, targets := make([]int32, n), make([]int32, n)
		for i := range tokens {
			tokens[i] = r.Int32N(int32(c.Vocab))
			if targets[i] = Ignore; r.IntN(4) > 0 {
				targets[i] = r.Int32N(int32(c.Vocab))
			}
		}
		b.Add(tokens, targets)
	}
	return b
}

// TestGradients compares the gradient of every tensor with central differences: along the
// gradient itself and along a random direction.
func TestGradients(t *testing.T) {
	t.Parallel()
	for _, tied := range []bool{true, false} {
		t.Run(fmt.Sprintf("tied=%v", tied), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, tiny(tied), newExec(t, 2, kernel(t, "ref-f32")), Budget{Tokens: 40, Longest: 20, Train: true})
			b := randomBatch(m.Config, 3, 7, 1, 20, 5)
			scale := 1 / float32(b.Trained())
			if _, err := m.Accumulate(b, scale); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(5, 6))
			for _, p := range m.Params() {
				random := make([]float32, p.Len())
				for i := range random {
					random[i] = float32(r.NormFloat64())
				}
				checkDirection(t, m, b, p, append([]float32(nil), p.G...), "its gradient")
				checkDirection(t, m, b, p, random, "a random direction")
			}
		})
	}
}

// checkDirection compares ⟨G,u⟩ with the slope of the loss along u = direction/|direction|.
// What float32 leaves uncertain is a part of |G|: the largest seen is 1.2e-4.
func checkDirection(t *testing.T, m *Model, b *Batch, p *nn.Param, direction []float32, what string) {
	t.Helper()
	var want, norm, gnorm float64
	for i, d := range direction {
		norm += float64(d) * float64(d)
		gnorm += float64(p.G[i]) * float64(p.G[i])
	}
	norm, gnorm = math.Sqrt(norm), math.Sqrt(gnorm)
	if gnorm == 0 {
		t.Errorf("%s: no gradient", p.Name)
		return
	}
	for i, d := range direction {
		want += float64(p.G[i]) * float64(d) / norm
	}
	const h = 0.005
	w := append([]float32(nil), p.W...)
	at := func(h float64) float64 {
		for i := range w {
			p.W[i] = w[i] + float32(h*float64(direction[i])/norm)
		}
		l, err := m.Evaluate(b)
		if err != nil {
			t.Fatal(err)
		}
		return l.Mean()
	}
	// The five-point rule: its error is of the order h⁴.
	got := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
	copy(p.W, w)
	if math.Abs(got-want) > 1e-3*gnorm {
		t.Errorf("%s along %s: slope %g, gradient says %g (|G| %g)", p.Name, what, got, want, gnorm)
	}
}
