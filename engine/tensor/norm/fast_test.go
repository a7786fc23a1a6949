package norm

import (
	"math/rand/v2"
	"testing"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
	"outcrop.dev/outcrop/engine/tensor/internal/vec/vectest"
)

func TestFastIsRef(t *testing.T) {
	t.Parallel()
	const rows, tol = 3, 0x1p-18
	vectest.Each(t, func(t *testing.T, set *vec.Set) {
		r, f := rand.New(rand.NewPCG(35, 36)), fast{set}
		for _, c := range []int{1, 7, 16, 33, 256} {
			x, w, dy := random(r, rows*c), random(r, c), random(r, rows*c)
			y, yRef := vectest.Two(x)
			rstd, rstdRef := vectest.Two(make([]float32, rows))
			f.rmsNorm(y, rstd, x, w, eps)
			rmsNormRef(yRef, rstdRef, x, w, eps)
			vectest.Near(t, "rmsNorm", y, yRef, tol, 0)
			vectest.Near(t, "rstd", rstd, rstdRef, tol, 0)

			dx, dxRef := vectest.Two(random(r, rows*c))
			dw, dwRef := vectest.Two(random(r, c))
			f.rmsNormBackward(dx, dw, dy, x, w, rstd)
			rmsNormBackwardRef(dxRef, dwRef, dy, x, w, rstd)
			vectest.Near(t, "dx", dx, dxRef, tol, 1)
			vectest.Near(t, "dw", dw, dwRef, tol, 1)
		}
	})
}
