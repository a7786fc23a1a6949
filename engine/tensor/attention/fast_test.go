package attention

import (
	"math/rand/v2"
	"testing"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
	"outcrop.dev/outcrop/engine/tensor/internal/vec/vectest"
)

func TestFastIsRef(t *testing.T) {
	t.Parallel()
	const scale, delta, tol = 0.3, 0.2, 0x1p-20
	vectest.Each(t, func(t *testing.T, set *vec.Set) {
		r := rand.New(rand.NewPCG(31, 32))
		f := fast{set}
		for n := 1; n < 80; n++ {
			visible := 1 + r.IntN(n)
			x := random(uint64(n), n)
			p, pRef := vectest.Two(x)
			lse, lseRef := f.softmaxRow(p, visible, scale), softmaxRowRef(pRef, visible, scale)
			vectest.Near(t, "softmaxRow", p, pRef, tol, 0)
			vectest.Near(t, "log-sum-exp", []float32{lse}, []float32{lseRef}, tol, 0)

			s, sRef := vectest.Two(x)
			dp, dpRef := vectest.Two(random(uint64(n+100), n))
			f.softmaxBackwardRow(s, dp, visible, scale, lse, delta)
			softmaxBackwardRowRef(sRef, dpRef, visible, scale, lse, delta)
			vectest.Near(t, "softmaxBackwardRow s", s, sRef, tol, 0)
			vectest.Near(t, "softmaxBackwardRow dp", dp, dpRef, tol, 0)
		}
	})
}
