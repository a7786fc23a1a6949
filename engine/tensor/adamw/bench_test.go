package adamw

import (
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
)

// BenchmarkStep updates 64M weights, more than any cache holds; MB/s counts the seven words
// an element that are read and written.
func BenchmarkStep(b *testing.B) {
	const n, chunk = 64 << 20, 1 << 15
	arena, err := tensor.NewArena(4 * 4 * n)
	if err != nil {
		b.Fatal(err)
	}
	defer arena.Close()
	w, g, m, v := arena.F32(n), arena.F32(n), arena.F32(n), arena.F32(n)
	for i := range w {
		w[i], g[i], m[i], v[i] = 1, 0.001, 0.001, 1e-6 // in memory, before the clock runs
	}
	p := tensor.NewPool(2)
	defer p.Close()
	h := Hyper{LR: 1e-4, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01, GradScale: 1}.At(10)
	b.SetBytes(28 * n)
	for b.Loop() {
		p.For(n/chunk, func(i, _ int) {
			from, to := i*chunk, (i+1)*chunk
			Step(w[from:to], g[from:to], m[from:to], v[from:to], h)
		})
	}
}
