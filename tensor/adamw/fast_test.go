package adamw

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
	r := rand.New(rand.NewPCG(37, 38))
	h := Hyper{LR: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, GradScale: 0.5}.At(3)
	for _, set := range vec.Sets() {
		for _, n := range []int{1, 8, 15, 16, 50} {
			var got, want [4][]float32
			for i := range got {
				for range n {
					got[i] = append(got[i], float32(r.Float64()))
				}
				want[i] = append([]float32(nil), got[i]...)
			}
			fast{set}.step(got[0], got[1], got[2], got[3], h)
			stepRef(want[0], want[1], want[2], want[3], h)
			for i := range got {
				for j := range got[i] {
					if !(math.Abs(float64(got[i][j]-want[i][j])) <= 4*0x1p-24) {
						t.Fatalf("%s: element %d of slice %d is %g, by the definition %g", set.Name, j, i, got[i][j], want[i][j])
					}
				}
			}
			if a, b := set.SumSquares(got[1]), sumSquaresRef(got[1]); !(math.Abs(a-b) <= 1e-12*b) {
				t.Errorf("%s: sum of squares %g, by the definition %g", set.Name, a, b)
			}
		}
	}
}
