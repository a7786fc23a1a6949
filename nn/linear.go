package nn

import "outcrop.dev/outcrop/tensor/gemm"

// Linear is y = x·Wᵀ without bias, W (out,in).
type Linear struct{ W *Param }

// Forward sets y[n,o] = Σ_i x[n,i]·W[o,i], or adds it when add is set (a residual).
//
// x (N,in), y (N,out). Inputs are rounded as the kernel does; sums in float32.
func (l Linear) Forward(e Exec, y, x []float32, n int, add bool) {
	gemm.Mul(e.Pool, e.Kernel, y, l.W.Rows, matrix(x, n, l.W.Cols), transposed(l.weights()), add)
}

// Backward sets dx from dy and adds to the gradient of W:
//
//	dx[n,i]   = Σ_o dy[n,o]·W[o,i]
//	W.G[o,i] += Σ_n dy[n,o]·x[n,i]
//
// dx sets and does not add: the callers' inputs have this one consumer. dx must not be dy.
func (l Linear) Backward(e Exec, dx, dy, x []float32, n int) {
	d := matrix(dy, n, l.W.Rows)
	gemm.Mul(e.Pool, e.Kernel, l.W.G, l.W.Cols, transposed(d), matrix(x, n, l.W.Cols), true) // y = x·Wᵀ
	gemm.Mul(e.Pool, e.Kernel, dx, l.W.Cols, d, l.weights(), false)                          // y = x·Wᵀ
}

func (l Linear) weights() gemm.Matrix { return matrix(l.W.W, l.W.Rows, l.W.Cols) }
