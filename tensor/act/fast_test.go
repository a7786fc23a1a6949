package act

import (
	"testing"

	"outcrop.dev/outcrop/tensor/internal/vec"
	"outcrop.dev/outcrop/tensor/internal/vec/vectest"
)

func TestFastIsRef(t *testing.T) {
	t.Parallel()
	const tol = 0x1p-20
	ref := refFunctions(silu)
	vectest.Each(t, func(t *testing.T, set *vec.Set) {
		for n := range 50 {
			gate, up := inputs(n)
			for i := range gate {
				gate[i] = max(min(gate[i], 80), -80)
			}
			_, d := inputs(n + 1)
			d = d[:n]
			dst, dstRef := vectest.Two(gate)
			set.SwiGLU(dst, gate, up)
			ref.gated(dstRef, gate, up)
			vectest.Near(t, "SwiGLU", dst, dstRef, tol, 0)

			dgate, dgateRef := vectest.Two(gate)
			dup, dupRef := vectest.Two(up)
			set.SwiGLUBackward(dgate, dup, d, gate, up)
			ref.gatedBackward(dgateRef, dupRef, d, gate, up)
			vectest.Near(t, "dgate", dgate, dgateRef, tol, 1)
			vectest.Near(t, "dup", dup, dupRef, tol, 0)
		}
	})
}
