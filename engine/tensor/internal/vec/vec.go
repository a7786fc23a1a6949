// Package vec holds the inner loops of the element-wise kernels in assembly, once for each
// instruction set: loops over slices of float32 of equal length, which the callers check.
//
// The packages norm, rope, act, attention, loss and adamw put these behind their exported
// functions and define, each in its ref.go, what is computed; here is only how fast.
// Package internal/asmgen generates the assembly. With -tags purego there is none.
//
// Nanoseconds an element on one core of an AMD EPYC (Zen 5), 2026-11-22, slices of 704 in
// the first level cache, `go test -run - -bench Loops ./engine/tensor/internal/vec`:
//
//	          ExpSum  SoftmaxBackward  SwiGLU  SwiGLUBackward  Norm  NormBackward  Dot
//	avx512    0.15    0.18             0.20    0.28            0.06  0.11          0.05
//	avx2      0.41    0.47             0.46    0.59            0.05  0.12          0.10
//
//	          GELU    GELUBackward  GELUTanh  GELUTanhBackward
//	avx512    0.28    0.36          0.26      0.37
//	avx2      0.63    0.76          0.61      0.83
//
// A sum is taken lane by lane and the lanes are added at the end: its order depends on the
// length alone. Lanes beyond the end of a slice are neither read nor written.
package vec

import "outcrop.dev/outcrop/engine/tensor"

// Set is the loops for one instruction set. All slices of a call have the length of the
// first, which may be 0; outputs may be inputs, element for element, where not said
// otherwise.
type Set struct {
	// Name is the instruction set, for tests and benchmarks.
	Name string
	// Max returns the largest element, -Inf if there is none. NaN may be lost.
	Max func(x []float32) float32
	// ExpSum sets x = exp(scale*x + bias) and returns the sum of the results.
	ExpSum func(x []float32, scale, bias float32) float32
	// SumExp returns the sum of exp(x + bias).
	SumExp func(x []float32, bias float32) float32
	// ExpScale sets x = scale*exp(x + bias).
	ExpScale func(x []float32, bias, scale float32)
	// Scale sets x = a*x.
	Scale func(x []float32, a float32)
	// SoftmaxBackward sets s = exp(scale*s - lse), then dp = scale*s*(dp - delta).
	SoftmaxBackward func(s, dp []float32, scale, lse, delta float32)
	// Dot returns the sum of a*b.
	Dot func(a, b []float32) float32
	// Dot3 returns the sum of a*b*c.
	Dot3 func(a, b, c []float32) float32
	// SumSquares returns the sum of x*x in float64.
	SumSquares func(x []float32) float64
	// SwiGLU sets dst = up*gate*s, s = 1/(1+exp(-gate)).
	SwiGLU func(dst, gate, up []float32)
	// SwiGLUBackward sets dup = dact*gate*s and dgate = dact*up*s*(1 + gate*(1-s)).
	SwiGLUBackward func(dgate, dup, dact, gate, up []float32)
	// GELU sets dst = up*gate*P(gate), P the normal distribution, within 2⁻²¹·|up*gate|.
	GELU func(dst, gate, up []float32)
	// GELUBackward sets dup = dact*gate*P(gate) and dgate = dact*up*(P(gate) + gate*P′(gate)).
	GELUBackward func(dgate, dup, dact, gate, up []float32)
	// GELUTanh sets dst = up*gate*s, s = 1/(1+exp(-2z)), z = √(2/π)*(gate + 0.044715*gate³).
	GELUTanh func(dst, gate, up []float32)
	// GELUTanhBackward sets dup = dact*gate*s and dgate = dact*up*s*(1 + gate*(1-s)*2z′).
	GELUTanhBackward func(dgate, dup, dact, gate, up []float32)
	// Norm sets y = x*r*w.
	Norm func(y, x, w []float32, r float32)
	// NormBackward adds dy*x*r to dw and dy*w*r - x*k to dx.
	NormBackward func(dx, dw, dy, x, w []float32, r, k float32)
	// Rotate sets a, b = a*cos - b*sin*sign, b*cos + a*sin*sign.
	Rotate func(a, b, cos, sin []float32, sign float32)
	// AdamW sets, with g' = g*scale, m = m*beta1 + g'*rest1, v = v*beta2 + g'*g'*rest2
	// and w = w*decay - rate*m/(sqrt(v)*c2 + eps).
	AdamW func(w, g, m, v []float32, scale, beta1, rest1, beta2, rest2, decay, rate, c2, eps float32)

	usable func(tensor.CPU) bool
}

// Sets returns the sets that this CPU and build can run, the best first; none is possible.
func Sets() []*Set {
	var usable []*Set
	for _, s := range sets {
		if s.usable(tensor.HostCPU()) {
			usable = append(usable, s)
		}
	}
	return usable
}

// Best returns the first of Sets, or nil.
func Best() *Set {
	if s := Sets(); len(s) > 0 {
		return s[0]
	}
	return nil
}
