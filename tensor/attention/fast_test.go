package attention

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
	r := rand.New(rand.NewPCG(31, 32))
	for _, set := range vec.Sets() {
		f := fast{set}
		for n := 1; n < 80; n++ {
			visible := 1 + r.IntN(n)
			s, dp := make([]float32, n), make([]float32, n)
			for i := range s {
				s[i], dp[i] = float32(3*r.NormFloat64()), float32(r.NormFloat64())
			}
			p, want := append([]float32(nil), s...), append([]float32(nil), s...)
			lse, wantLSE := f.softmaxRow(p, visible, 0.3), softmaxRowRef(want, visible, 0.3)
			near(t, set.Name+" softmaxRow", p, want)
			near(t, set.Name+" log-sum-exp", []float32{lse}, []float32{wantLSE})

			ds, wantDS := append([]float32(nil), dp...), append([]float32(nil), dp...)
			copy(p, s)
			copy(want, s)
			f.softmaxBackwardRow(p, ds, visible, 0.3, lse, 0.2)
			softmaxBackwardRowRef(want, wantDS, visible, 0.3, lse, 0.2)
			near(t, set.Name+" softmaxBackwardRow s", p, want)
			near(t, set.Name+" softmaxBackwardRow dp", ds, wantDS)
		}
	}
}

// near fails unless got is want within 2⁻²⁰ of each element.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 0x1p-20*math.Abs(float64(want[i]))) {
			t.Fatalf("%s: element %d of %d is %g, by the definition %g", what, i, len(want), got[i], want[i])
		}
	}
}
