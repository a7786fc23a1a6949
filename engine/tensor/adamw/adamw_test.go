package adamw

import (
	"math"
	"math/rand/v2"
	"testing"
)

// exact is AdamW in float64, step by step as in the paper: the moments corrected first.
type exact struct{ w, m, v []float64 }

func (e *exact) step(g []float32, h Hyper, t int) {
	b1, b2 := float64(h.Beta1), float64(h.Beta2)
	for i := range e.w {
		gi := float64(g[i]) * float64(h.GradScale)
		e.m[i] = b1*e.m[i] + (1-b1)*gi
		e.v[i] = b2*e.v[i] + (1-b2)*gi*gi
		mh, vh := e.m[i]/(1-math.Pow(b1, float64(t))), e.v[i]/(1-math.Pow(b2, float64(t)))
		e.w[i] -= float64(h.LR) * (mh/(math.Sqrt(vh)+float64(h.Eps)) + float64(h.WeightDecay)*e.w[i])
	}
}

func TestStep(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 15, 16, 17, 1000} {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		w, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		e := exact{make([]float64, n), make([]float64, n), make([]float64, n)}
		for i := range w {
			w[i] = float32(r.NormFloat64())
			e.w[i] = float64(w[i])
		}
		h := Hyper{LR: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, GradScale: 0.5}
		const steps = 10
		for s := 1; s <= steps; s++ {
			for i := range g {
				g[i] = float32(r.NormFloat64())
				if i%7 == 0 {
					g[i] = 0 // v = 0: the step must not divide by 0
				}
			}
			Step(w, g, m, v, h.At(s))
			e.step(g, h, s)
		}
		for i := range w {
			bound := 4 * math.Exp2(-24) * steps * (math.Abs(e.w[i]) + 1e-2*4)
			if !(math.Abs(float64(w[i])-e.w[i]) <= bound) {
				t.Fatalf("n=%d: w[%d] = %g, want %g", n, i, w[i], e.w[i])
			}
		}
	}
}

func TestSumSquares(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3, 16, 31, 1000} {
		x, want := make([]float32, n), 0.0
		for i := range x {
			x[i] = float32(i%13) - 6
			want += float64(x[i]) * float64(x[i])
		}
		if got := SumSquares(x); got != want { // whole numbers: every order is exact
			t.Errorf("n=%d: %g, want %g", n, got, want)
		}
	}
	if got := SumSquares([]float32{3e38, 3e38}); math.IsInf(got, 0) {
		t.Error("the sum of large values overflows")
	}
	if got := SumSquares([]float32{1, float32(math.NaN()), 1, 1, 1}); got == got {
		t.Error("a NaN does not show")
	}
}
