package loss

import (
	"testing"

	"outcrop.dev/outcrop/tensor/internal/vec"
	"outcrop.dev/outcrop/tensor/internal/vec/vectest"
)

func TestFastIsRef(t *testing.T) {
	t.Parallel()
	const tol = 0x1p-20
	vectest.Each(t, func(t *testing.T, set *vec.Set) {
		f := fast{set}
		for _, n := range []int{1, 5, 8, 16, 17, 100, 8192} {
			x, xRef := vectest.Two(logits(n, 5))
			lse, lseRef := f.logSumExp(x), logSumExpRef(x)
			vectest.Near(t, "logSumExp", []float32{lse}, []float32{lseRef}, tol, 1)
			f.softmax(x, lseRef, 0.5)
			softmaxRef(xRef, lseRef, 0.5)
			vectest.Near(t, "softmax", x, xRef, tol, 0)
		}
	})
}
