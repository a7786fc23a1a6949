package loss

import (
	"testing"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
	"outcrop.dev/outcrop/engine/tensor/internal/vec/vectest"
)

func TestFastIsRef(t *testing.T) {
	t.Parallel()
	const tol = 0x1p-20
	vectest.Each(t, func(t *testing.T, set *vec.Set) {
		f := fast{set}
		for _, n := range []int{1, 5, 8, 16, 17, 100, 8192} {
			x, xRef := vectest.Two(logits(n, 5))
			top, rest := f.logSumExp(x)
			topRef, restRef := logSumExpRef(x)
			vectest.Near(t, "logSumExp", []float32{top, float32(rest)}, []float32{topRef, float32(restRef)}, tol, 1)
			lseRef := topRef + float32(restRef)
			f.softmax(x, lseRef, 0.5)
			softmaxRef(xRef, lseRef, 0.5)
			vectest.Near(t, "softmax", x, xRef, tol, 0)
		}
	})
}
