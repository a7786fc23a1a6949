package act

import "math"

// curve returns a function and its slope at x.
type curve func(x float32) (y, slope float32)

// refFunctions are the definition of the loops of a Kind.
func refFunctions(f curve) functions {
	return functions{
		forward: func(dst, x []float32) {
			for i, v := range x {
				dst[i], _ = f(v)
			}
		},
		backward: func(dx, dact, x []float32) {
			for i, d := range dact {
				_, slope := f(x[i])
				dx[i] = d * slope // act = f(x)
			}
		},
		gated: func(dst, gate, up []float32) {
			for i, g := range gate {
				y, _ := f(g)
				dst[i] = up[i] * y // in this order: up·g may overflow where f(g) is 0
			}
		},
		gatedBackward: func(dgate, dup, dact, gate, up []float32) {
			for i, d := range dact {
				y, slope := f(gate[i])
				u := up[i]
				dup[i] = d * y           // act = up·f(gate)
				dgate[i] = d * u * slope // act = up·f(gate)
			}
		},
	}
}

func silu(x float32) (y, slope float32) {
	s := sigmoid(float64(x))
	return x * float32(s), float32(s * (1 + float64(x)*(1-s)))
}

// gelu is x·Φ(x); its slope is Φ(x) + x·φ(x).
func gelu(x float32) (y, slope float32) {
	v := float64(x)
	cdf := math.Erfc(-v/math.Sqrt2) / 2
	pdf := math.Exp(-v*v/2) / math.Sqrt(2*math.Pi)
	return float32(v * cdf), float32(cdf + v*pdf)
}

// Half of the argument of geluTanh's sigmoid is √(2/π)·(x + tanhCube·x³).
const (
	tanhLinear = 0.7978845608028654 // √(2/π)
	tanhCube   = 0.044715
)

// geluTanh is x·σ(2z), since ½·(1+tanh z) = σ(2z).
func geluTanh(x float32) (y, slope float32) {
	v := float64(x)
	s := sigmoid(2 * tanhLinear * (v + tanhCube*v*v*v))
	inner := 2 * tanhLinear * (1 + 3*tanhCube*v*v)
	return float32(v * s), float32(s + v*s*(1-s)*inner)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
