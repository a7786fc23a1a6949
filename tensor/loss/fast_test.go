package loss

import (
	"math"
	"math/rand/v2"
	"testing"

	"outcrop.dev/outcrop/tensor/internal/vec"
)

// TestFastIsRef compares the assembly of every instruction set with the definition.
func TestFastIsRef(t *testing.T) {
	t.Parallel()
	if len(vec.Sets()) == 0 {
		t.Skip("NOT TESTED: this build or CPU has no assembly")
	}
	r := rand.New(rand.NewPCG(33, 34))
	for _, set := range vec.Sets() {
		f := fast{set}
		for _, n := range []int{1, 5, 8, 16, 17, 100, 8192} {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(5 * r.NormFloat64())
			}
			lse, want := f.logSumExp(x), logSumExpRef(x)
			if !(math.Abs(float64(lse-want)) <= 0x1p-20*(1+math.Abs(float64(want)))) {
				t.Errorf("%s: logSumExp of %d is %g, by the definition %g", set.Name, n, lse, want)
			}
			y := append([]float32(nil), x...)
			f.softmax(x, want, 0.5)
			softmaxRef(y, want, 0.5)
			for i := range x {
				if !(math.Abs(float64(x[i]-y[i])) <= 0x1p-20*float64(y[i])) {
					t.Fatalf("%s: softmax element %d of %d is %g, by the definition %g", set.Name, i, n, x[i], y[i])
				}
			}
		}
	}
}
