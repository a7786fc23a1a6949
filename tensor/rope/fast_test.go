package rope

import (
	"math"
	"testing"

	"outcrop.dev/outcrop/tensor/internal/vec"
)

// TestFastIsRef compares the assembly of every instruction set with the definition.
func TestFastIsRef(t *testing.T) {
	t.Parallel()
	if len(vec.Sets()) == 0 {
		t.Skip("NOT TESTED: this build or CPU has no assembly")
	}
	for _, set := range vec.Sets() {
		for _, d := range []int{2, 10, 16, 34, 64, 128} {
			cos, sin := NewTable(9, d, 10000).At(7)
			for _, sign := range []float32{1, -1} {
				x := make([]float32, 3*d)
				for i := range x {
					x[i] = float32(i%7) - 2.5
				}
				want := append([]float32(nil), x...)
				fast{set}.rotate(x, cos, sin, sign)
				rotateRef(want, cos, sin, sign)
				for i := range x {
					if !(math.Abs(float64(x[i]-want[i])) <= 0x1p-20*4) {
						t.Fatalf("%s: d=%d: element %d is %g, by the definition %g", set.Name, d, i, x[i], want[i])
					}
				}
			}
		}
	}
}
