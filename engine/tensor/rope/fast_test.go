package rope

import (
	"testing"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
	"outcrop.dev/outcrop/engine/tensor/internal/vec/vectest"
)

func TestFastIsRef(t *testing.T) {
	t.Parallel()
	vectest.Each(t, func(t *testing.T, set *vec.Set) {
		for _, d := range []int{2, 10, 16, 34, 64, 128} {
			cos, sin := NewTable(9, Frequencies(d, 10000), 1).At(7)
			for _, sign := range []float32{1, -1} {
				x := make([]float32, 3*d)
				for i := range x {
					x[i] = float32(i%7) - 2.5
				}
				x, xRef := vectest.Two(x)
				fast{set}.rotate(x, cos, sin, sign)
				rotateRef(xRef, cos, sin, sign)
				vectest.Near(t, "rotate", x, xRef, 0x1p-22, 5)
			}
		}
	})
}
