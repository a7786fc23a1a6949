package adamw

import (
	"math"
	"math/rand/v2"
	"testing"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
	"outcrop.dev/outcrop/engine/tensor/internal/vec/vectest"
)

func TestFastIsRef(t *testing.T) {
	t.Parallel()
	h := Hyper{LR: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, GradScale: 0.5}.At(3)
	vectest.Each(t, func(t *testing.T, set *vec.Set) {
		r := rand.New(rand.NewPCG(37, 38))
		for _, n := range []int{1, 8, 15, 16, 50} {
			var got, want [4][]float32
			for i := range got {
				x := make([]float32, n)
				for j := range x {
					x[j] = r.Float32()
				}
				got[i], want[i] = vectest.Two(x)
			}
			fast{set}.step(got[0], got[1], got[2], got[3], h)
			stepRef(want[0], want[1], want[2], want[3], h)
			for i, name := range []string{"w", "g", "m", "v"} {
				vectest.Near(t, name, got[i], want[i], 4*0x1p-24, 1)
			}
			if a, b := set.SumSquares(got[1]), sumSquaresRef(got[1]); !(math.Abs(a-b) <= 1e-12*b) {
				t.Errorf("sum of squares %g, by the definition %g", a, b)
			}
		}
	})
}
