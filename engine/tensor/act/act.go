// Package act holds the activations of the feed-forward layer, alone and gated.
//
// It knows slices of float32 and nothing of layers or threads. ref.go is the definition;
// a faster version may stand behind the same functions.
package act

// Kind is an activation function.
type Kind int

// The activation functions.
const (
	SiLU     Kind = iota // x·σ(x), σ(x) = 1/(1+e⁻ˣ): Elfwing et al. 2017, arXiv:1702.03118
	GELU                 // x·Φ(x), Φ the normal distribution: Hendrycks & Gimpel 2016, arXiv:1606.08415
	GELUTanh             // x·½·(1 + tanh(√(2/π)·(x + 0.044715·x³))): the same paper's approximation
)

// functions are the loops of one Kind.
type functions struct {
	forward       func(dst, x []float32)
	backward      func(dx, dact, x []float32)
	gated         func(dst, gate, up []float32)
	gatedBackward func(dgate, dup, dact, gate, up []float32)
}

// The implementation in use, by Kind. fast.go replaces these at start where the CPU allows.
var kinds = [...]functions{
	SiLU:     refFunctions(silu),
	GELU:     refFunctions(gelu),
	GELUTanh: refFunctions(geluTanh),
}

// Forward sets dst[i] = k(x[i]). dst may be x. |dst−exact| ≤ 2⁻²⁰·|x| + 2⁻¹²⁶ (TestForward).
// Panics if lengths disagree.
func (k Kind) Forward(dst, x []float32) {
	check(len(x), dst, x)
	kinds[k].forward(dst, x)
}

// Backward sets dx[i] = dact[i]·k′(x[i]). dx may be x or dact. It sets and does not add,
// as GatedBackward does. Panics if lengths disagree.
func (k Kind) Backward(dx, dact, x []float32) {
	check(len(x), dx, dact)
	kinds[k].backward(dx, dact, x)
}

// Gated sets dst[i] = up[i]·k(gate[i]): SwiGLU or GeGLU.
//
// All of one length; dst may be gate or up. |dst−exact| ≤ 2⁻²⁰·|up·gate| + 2⁻¹²⁶, with SiLU
// ≤ 8u·|exact| + 2⁻¹²⁶, u = 2⁻²⁴ (TestGated). Panics if lengths disagree.
// Shazeer 2020, arXiv:2002.05202, eq. 6.
func (k Kind) Gated(dst, gate, up []float32) {
	check(len(gate), dst, up)
	kinds[k].gated(dst, gate, up)
}

// GatedBackward sets the gradients of Gated's inputs from dact, that of its output:
//
//	dup[i]   = dact[i]·k(gate[i])
//	dgate[i] = dact[i]·up[i]·k′(gate[i])
//
// All of one length; dgate may be gate, dup may be up. It sets and does not add, unlike
// other backward functions: each input has this one consumer, and so the gradients can
// take the place of the saved values. Panics if lengths disagree.
func (k Kind) GatedBackward(dgate, dup, dact, gate, up []float32) {
	check(len(dact), dgate, dup, gate, up)
	kinds[k].gatedBackward(dgate, dup, dact, gate, up)
}

func check(n int, others ...[]float32) {
	for _, x := range others {
		if len(x) != n {
			panic("act: lengths disagree")
		}
	}
}
