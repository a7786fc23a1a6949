package act

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
	r := rand.New(rand.NewPCG(39, 40))
	for _, set := range vec.Sets() {
		for n := range 50 {
			var x [5][]float32
			for i := range x {
				for range n {
					x[i] = append(x[i], float32(4*r.NormFloat64()))
				}
			}
			dst, dgate, dup := make([]float32, n), make([]float32, n), make([]float32, n)
			set.SwiGLU(dst, x[3], x[4])
			set.SwiGLUBackward(dgate, dup, x[2], x[3], x[4])
			swiGLURef(x[0], x[3], x[4])
			for i := range n {
				if !(math.Abs(float64(dst[i]-x[0][i])) <= 0x1p-20*math.Abs(float64(x[0][i]))) {
					t.Fatalf("%s: SwiGLU of %g is %g, by the definition %g", set.Name, x[3][i], dst[i], x[0][i])
				}
			}
			swiGLUBackwardRef(x[0], x[1], x[2], x[3], x[4])
			for i := range n {
				size := math.Abs(float64(x[2][i])) * (1 + math.Abs(float64(x[3][i]))) * (1 + math.Abs(float64(x[4][i])))
				if !(math.Abs(float64(dgate[i]-x[0][i])) <= 0x1p-20*size) || !(math.Abs(float64(dup[i]-x[1][i])) <= 0x1p-20*size) {
					t.Fatalf("%s: SwiGLUBackward of %g is %g, %g, by the definition %g, %g", set.Name, x[3][i], dgate[i], dup[i], x[0][i], x[1][i])
				}
			}
		}
	}
}
