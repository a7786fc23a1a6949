package act

import (
	"fmt"
	"testing"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
	"outcrop.dev/outcrop/engine/tensor/internal/vec/vectest"
)

func TestFastIsRef(t *testing.T) {
	t.Parallel()
	const tol = 0x1p-20
	vectest.Each(t, func(t *testing.T, set *vec.Set) {
		for _, k := range []struct {
			name      string
			fast, ref functions
			size      float64 // of what errors are a part of, besides the value
		}{
			{"SiLU", fastFunctions(set.SwiGLU, set.SwiGLUBackward), refFunctions(silu), 0},
			{"GELU", fastFunctions(set.GELU, set.GELUBackward), refFunctions(gelu), 10},
			{"GELUTanh", fastFunctions(set.GELUTanh, set.GELUTanhBackward), refFunctions(geluTanh), 10},
		} {
			for _, n := range []int{0, 1, 15, 16, 17, 49, chunk - 1, chunk, 2*chunk + 3} {
				gate, up := inputs(n)
				for i := range gate {
					gate[i] = max(min(gate[i], 9), -9)
				}
				_, d := inputs(n + 1)
				d = d[:n]
				what := fmt.Sprint(k.name, n, " ")
				dst, dstRef := vectest.Two(gate)
				k.fast.gated(dst, gate, up)
				k.ref.gated(dstRef, gate, up)
				vectest.Near(t, what+"gated", dst, dstRef, tol, k.size)
				k.fast.forward(dst, gate)
				k.ref.forward(dstRef, gate)
				vectest.Near(t, what+"forward", dst, dstRef, tol, k.size)

				dgate, dgateRef := vectest.Two(gate)
				dup, dupRef := vectest.Two(up)
				k.fast.gatedBackward(dgate, dup, d, dgate, dup)
				k.ref.gatedBackward(dgateRef, dupRef, d, gate, up)
				vectest.Near(t, what+"dgate", dgate, dgateRef, tol, 1+k.size)
				vectest.Near(t, what+"dup", dup, dupRef, tol, k.size)
				dx, dxRef := vectest.Two(gate)
				k.fast.backward(dx, d, dx)
				k.ref.backward(dxRef, d, gate)
				vectest.Near(t, what+"backward", dx, dxRef, tol, 1+k.size)
			}
		}
	})
}
