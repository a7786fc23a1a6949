package nn

import "outcrop.dev/outcrop/tensor/norm"

// Norm is RMSNorm with a weight for each channel.
type Norm struct {
	W    *Param
	Eps  float32
	rstd []float32 // (N) of the last Forward
	part []float32 // (blocks,C) gradients of W, one row a block of rows
}

// NewNorm returns a norm for up to n rows.
func NewNorm(w *Param, eps float32, n int, alloc Alloc) *Norm {
	return &Norm{W: w, Eps: eps, rstd: alloc(n), part: alloc((n + rowBlock - 1) / rowBlock * w.Cols)}
}

// Forward sets y to x normalised. x, y (N,C).
func (l *Norm) Forward(e Exec, y, x []float32, n int) {
	c := l.W.Cols
	e.rows(n, func(_, a, b int) {
		norm.RMSNorm(y[a*c:b*c], l.rstd[a:b], x[a*c:b*c], l.W.W, l.Eps)
	})
}

// Backward adds to dx (N,C) and to the gradient of W, given dy and Forward's x. Each block
// of rows sums its own gradient of W; the blocks are added in order (TestThreads).
func (l *Norm) Backward(e Exec, dx, dy, x []float32, n int) {
	c := l.W.Cols
	e.rows(n, func(i, a, b int) {
		part := l.part[i*c : (i+1)*c]
		clear(part)
		norm.RMSNormBackward(dx[a*c:b*c], part, dy[a*c:b*c], x[a*c:b*c], l.W.W, l.rstd[a:b])
	})
	if l.W.G == nil {
		return
	}
	for i := range (n + rowBlock - 1) / rowBlock {
		for j, g := range l.part[i*c : (i+1)*c] {
			l.W.G[j] += g
		}
	}
}
