package norm

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
	r := rand.New(rand.NewPCG(35, 36))
	normal := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	twice := func(x []float32) (a, b []float32) { return append([]float32(nil), x...), append([]float32(nil), x...) }
	const rows, eps = 3, 1e-5
	for _, set := range vec.Sets() {
		f := fast{set}
		for _, c := range []int{1, 7, 16, 33, 256} {
			x, w, dy := normal(rows*c), normal(c), normal(rows*c)
			y, yRef := twice(x)
			rstd, rstdRef := twice(make([]float32, rows))
			f.rmsNorm(y, rstd, x, w, eps)
			rmsNormRef(yRef, rstdRef, x, w, eps)
			near(t, set.Name+" rmsNorm", y, yRef)
			near(t, set.Name+" rstd", rstd, rstdRef)

			dx, dxRef := twice(normal(rows * c))
			dw, dwRef := twice(normal(c))
			f.rmsNormBackward(dx, dw, dy, x, w, rstd)
			rmsNormBackwardRef(dxRef, dwRef, dy, x, w, rstd)
			near(t, set.Name+" dx", dx, dxRef)
			near(t, set.Name+" dw", dw, dwRef)
		}
	}
}

// near fails unless got is want within 2⁻¹⁸ of the largest element.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i := range want {
		if !(math.Abs(float64(got[i]-want[i])) <= 0x1p-18*largest) {
			t.Fatalf("%s: element %d of %d is %g, by the definition %g", what, i, len(want), got[i], want[i])
		}
	}
}
