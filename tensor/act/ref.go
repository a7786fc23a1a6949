package act

import "math"

// swiGLURef is the definition of SwiGLU.
func swiGLURef(dst, gate, up []float32) {
	for i, g := range gate {
		dst[i] = up[i] * (g * sigmoid(g)) // in this order: up·g may overflow where σ(g) is 0
	}
}

// swiGLUBackwardRef is the definition of SwiGLUBackward.
func swiGLUBackwardRef(dgate, dup, dact, gate, up []float32) {
	for i, d := range dact {
		g, u := gate[i], up[i]
		s := sigmoid(g)
		dup[i] = d * g * s                   // act = up·g·σ(g)
		dgate[i] = d * u * s * (1 + g*(1-s)) // (g·σ(g))′ = σ(g) + g·σ(g)·(1−σ(g))
	}
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
