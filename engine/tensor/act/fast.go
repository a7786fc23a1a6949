package act

import "outcrop.dev/outcrop/engine/tensor/internal/vec"

func init() {
	if set := vec.Best(); set != nil {
		kinds[SiLU] = fastFunctions(set.SwiGLU, set.SwiGLUBackward)
		kinds[GELU] = fastFunctions(set.GELU, set.GELUBackward)
		kinds[GELUTanh] = fastFunctions(set.GELUTanh, set.GELUTanhBackward)
	}
}

// chunk is how many elements an activation without a gate takes at a time, with a gate of
// ones.
const chunk = 512

var ones = func() (x [chunk]float32) {
	for i := range x {
		x[i] = 1
	}
	return x
}()

// fastFunctions returns the loops of a Kind from the assembly of the gated ones.
func fastFunctions(gated func(dst, gate, up []float32), backward func(dgate, dup, dact, gate, up []float32)) functions {
	return functions{
		gated: gated, gatedBackward: backward,
		forward: func(dst, x []float32) {
			for at := 0; at < len(x); at += chunk {
				to := min(at+chunk, len(x))
				gated(dst[at:to], x[at:to], ones[:to-at])
			}
		},
		backward: func(dx, dact, x []float32) {
			var dones [chunk]float32 // the gradient of the ones
			for at := 0; at < len(x); at += chunk {
				to := min(at+chunk, len(x))
				backward(dx[at:to], dones[:to-at], dact[at:to], x[at:to], ones[:to-at])
			}
		},
	}
}
