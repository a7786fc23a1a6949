package nn

import "outcrop.dev/outcrop/engine/tensor/gemm"

// Linear is y = x·Wᵀ + Bias, W (out,in).
type Linear struct {
	W    *Param
	Bias *Param // (out); nil where the layer has none
}

// Forward sets y[n,o] = Σ_i x[n,i]·W[o,i] + Bias[o], or adds it when add is set (a residual).
//
// An adapter of W adds its part. x (N,in), y (N,out). Inputs are rounded as the kernel does;
// sums in float32: first the bias, then W's, then the adapter's.
func (l Linear) Forward(e Exec, y, x []float32, n int, add bool) {
	if l.Bias != nil {
		bias(e, y, l.Bias.W, n, add)
		add = true
	}
	switch in := matrix(x, n, l.W.Cols); {
	case l.W.Packed != nil:
		gemm.MulPacked(e.Pool, e.Kernel, y, l.W.Rows, in, l.W.Packed, add)
		if e.Adapt != nil {
			e.Adapt(e, y, x, l.W)
		}
	case l.W.Adapter != nil:
		l.W.Adapter.forward(e, l.W, y, x, n, add)
	default:
		gemm.Mul(e.Pool, e.Kernel, y, l.W.Rows, in, transposed(l.W.matrix()), add)
	}
}

// Backward sets dx from dy and adds to the gradients of W and Bias, where they have one, and
// of an adapter:
//
//	dx[n,i]   = Σ_o dy[n,o]·W[o,i]
//	W.G[o,i] += Σ_n dy[n,o]·x[n,i]
//	Bias.G[o] += Σ_n dy[n,o]
//
// dx sets and does not add: the callers' inputs have this one consumer. dx must not be dy.
func (l Linear) Backward(e Exec, dx, dy, x []float32, n int) {
	if l.Bias != nil && l.Bias.G != nil {
		sumRows(e, l.Bias.G, dy, n) // y = x·Wᵀ + Bias
	}
	d := matrix(dy, n, l.W.Rows)
	if l.W.G != nil {
		gemm.Mul(e.Pool, e.Kernel, l.W.G, l.W.Cols, transposed(d), matrix(x, n, l.W.Cols), true) // y = x·Wᵀ
	}
	if a := l.W.Adapter; a != nil {
		a.backward(e, l.W, dx, dy, x, n)
		return
	}
	gemm.Mul(e.Pool, e.Kernel, dx, l.W.Cols, d, l.W.matrix(), false) // y = x·Wᵀ
}

// bias sets each of n rows of y (N,C) to b (C), or adds it.
func bias(e Exec, y, b []float32, n int, add bool) {
	c := len(b)
	e.rows(n, func(_, from, to int) {
		for i := from; i < to; i++ {
			row := y[i*c : (i+1)*c]
			if !add {
				copy(row, b)
				continue
			}
			for j, v := range b {
				row[j] += v
			}
		}
	})
}

// sumRows adds the n rows of dy (N,C) to g (C), rows in order: a task takes some channels
// of all rows, so the sums do not depend on threads (TestThreads).
func sumRows(e Exec, g, dy []float32, n int) {
	c := len(g)
	e.Pool.For((c+columnBlock-1)/columnBlock, func(task, _ int) {
		from, to := task*columnBlock, min(c, (task+1)*columnBlock)
		g := g[from:to]
		for i := range n {
			for j, d := range dy[i*c+from : i*c+to] {
				g[j] += d
			}
		}
	})
}
