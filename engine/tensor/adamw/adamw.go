// Package adamw updates weights by Adam with decoupled weight decay.
//
// It knows slices of float32 and nothing of layers, schedules or threads. ref.go is the
// definition; a faster version may stand behind the same functions.
package adamw

import "math"

// The implementation in use. fast.go replaces these at start where the CPU allows.
var (
	step       = stepRef
	sumSquares = sumSquaresRef
)

// Hyper is what one update of one tensor depends on besides the tensor.
type Hyper struct {
	LR           float32 // learning rate of this step
	Beta1, Beta2 float32
	Eps          float32
	WeightDecay  float32
	GradScale    float32 // multiplies g first: 1, or less when the gradient is clipped
	// Bias corrections of step t (from 1): C1 = 1/(1−Beta1ᵗ), C2 = 1/√(1−Beta2ᵗ).
	C1, C2 float32
}

// At returns h with the bias corrections of step t, counted from 1.
func (h Hyper) At(t int) Hyper {
	h.C1 = float32(1 / (1 - math.Pow(float64(h.Beta1), float64(t))))
	h.C2 = float32(1 / math.Sqrt(1-math.Pow(float64(h.Beta2), float64(t))))
	return h
}

// Step updates w, m and v in place from the gradient g:
//
//	g' = g·GradScale
//	m  = Beta1·m + (1−Beta1)·g'
//	v  = Beta2·v + (1−Beta2)·g'²
//	w  = w·(1 − LR·WeightDecay) − LR·C1·m / (√v·C2 + Eps)
//
// All of one length, element by element in float32, no aliasing. |w−ref| ≤ 4u·(|w|+LR) per
// step (TestStep). Reads 4, writes 3 words an element: memory bound. Panics if lengths disagree.
// Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2, in PyTorch's order of operations.
func Step(w, g, m, v []float32, h Hyper) {
	if len(g) != len(w) || len(m) != len(w) || len(v) != len(w) {
		panic("adamw: lengths disagree")
	}
	step(w, g, m, v, h)
}

// SumSquares returns Σ x² with float64 sums: the squared norm that clipping needs. The
// order of the sum depends on len(x) only. NaN and Inf show in the result.
func SumSquares(x []float32) float64 { return sumSquares(x) }
