// Package act holds the activation of the feed-forward layer, SwiGLU.
//
// It knows slices of float32 and nothing of layers or threads. ref.go is the definition;
// a faster version may stand behind the same functions.
package act

// The implementation in use. fast.go replaces these at start where the CPU allows.
var (
	swiGLU         = swiGLURef
	swiGLUBackward = swiGLUBackwardRef
)

// SwiGLU sets dst[i] = up[i]·gate[i]·σ(gate[i]), σ(x) = 1/(1+e⁻ˣ).
//
// All of one length; dst may be gate or up. |dst−exact| ≤ 8u·|exact| + 2⁻¹²⁶, u = 2⁻²⁴ (TestSwiGLU).
// Panics if lengths disagree. Shazeer 2020, arXiv:2002.05202, eq. 6.
func SwiGLU(dst, gate, up []float32) {
	if len(gate) != len(dst) || len(up) != len(dst) {
		panic("act: lengths disagree")
	}
	swiGLU(dst, gate, up)
}

// SwiGLUBackward sets the gradients of SwiGLU's inputs from dact, that of its output:
//
//	dup[i]   = dact[i]·gate[i]·σ(gate[i])
//	dgate[i] = dact[i]·up[i]·σ(gate[i])·(1 + gate[i]·(1−σ(gate[i])))
//
// All of one length; dgate may be gate, dup may be up. It sets and does not add, unlike
// other backward functions: each input has this one consumer, and so the gradients can
// take the place of the saved values. Panics if lengths disagree.
func SwiGLUBackward(dgate, dup, dact, gate, up []float32) {
	n := len(dact)
	if len(dgate) != n || len(dup) != n || len(gate) != n || len(up) != n {
		panic("act: lengths disagree")
	}
	swiGLUBackward(dgate, dup, dact, gate, up)
}
