package nn

import "outcrop.dev/outcrop/engine/tensor/norm"

// NormKind says how a norm normalises.
type NormKind int

// The kinds of norm.
const (
	RMSNorm        NormKind = iota // x/rms(x)·W
	RMSNormPlusOne                 // x/rms(x)·(1 + W): Gemma keeps its weights so
	LayerNorm                      // (x − mean(x))/std(x)·W + Bias
)

// NormShape is what all norms of a model have in common.
type NormShape struct {
	Kind NormKind
	Eps  float32
}

// Affine is the parameters of a norm. W is nil where a block has no such norm, Bias is
// LayerNorm's alone.
type Affine struct{ W, Bias *Param }

// Norm normalises rows of W.Cols channels.
type Norm struct {
	Affine
	NormShape
	rstd, mean []float32 // of each row of the last Forward
	plusOne    []float32 // (C) 1 + W
	part       []float32 // (blocks,2C) gradients of W and Bias, one row a block of rows
}

// NewNorm returns a norm for up to n rows, or for up to n tokens with heads rows each; nil
// if w has no weights. part is partLen(n, C) floats, which norms may share.
func NewNorm(w Affine, s NormShape, n, heads int, part []float32, alloc Alloc) *Norm {
	if w.W == nil {
		return nil
	}
	l := &Norm{Affine: w, NormShape: s, rstd: alloc(n * heads), part: part}
	switch s.Kind {
	case RMSNormPlusOne:
		l.plusOne = alloc(w.W.Cols)
	case LayerNorm:
		l.mean = alloc(n * heads)
	}
	return l
}

// PartLen returns the length of the scratch that a norm of c channels needs for n tokens.
func PartLen(n, c int) int { return (n + rowBlock - 1) / rowBlock * 2 * c }

// Forward sets y to x normalised. x, y (N,C).
func (l *Norm) Forward(e Exec, y, x []float32, n int) {
	c := l.W.Cols
	w := l.weight()
	e.rows(n, func(_, a, b int) { l.forward(y[a*c:b*c], x[a*c:b*c], w, a, b) })
}

// ForwardHeads normalises, for each of n tokens, heads rows that stand side by side in a
// row of stride floats, in place.
func (l *Norm) ForwardHeads(e Exec, x []float32, n, heads, stride int) {
	c := heads * l.W.Cols
	w := l.weight()
	e.rows(n, func(_, from, to int) {
		for i := from; i < to; i++ {
			row := x[i*stride:][:c]
			l.forward(row, row, w, i*heads, (i+1)*heads)
		}
	})
}

// forward normalises the rows from a to b.
func (l *Norm) forward(y, x, w []float32, a, b int) {
	if l.Kind == LayerNorm {
		norm.LayerNorm(y, l.mean[a:b], l.rstd[a:b], x, w, l.Bias.W, l.Eps)
		return
	}
	norm.RMSNorm(y, l.rstd[a:b], x, w, l.Eps)
}

// weight returns what the normalised channels are multiplied by.
func (l *Norm) weight() []float32 {
	if l.Kind != RMSNormPlusOne {
		return l.W.W
	}
	for i, w := range l.W.W {
		l.plusOne[i] = 1 + w
	}
	return l.plusOne
}

// Backward adds to dx (N,C) and to the gradients of W and Bias, given dy and Forward's x.
// Each block of rows sums its own gradients; the blocks are added in order (TestThreads).
func (l *Norm) Backward(e Exec, dx, dy, x []float32, n int) {
	l.BackwardHeads(e, dx, dy, x, n, 1, l.W.Cols)
}

// BackwardHeads is Backward after ForwardHeads: dx, dy and x, what was there before, lie
// alike.
func (l *Norm) BackwardHeads(e Exec, dx, dy, x []float32, n, heads, stride int) {
	c, w := l.W.Cols, l.weight()
	e.rows(n, func(task, a, b int) {
		part := l.part[task*2*c : (task+1)*2*c]
		clear(part)
		step := 1 // tokens at a time: all, where nothing lies between their rows
		if stride == heads*c {
			step = b - a
		}
		for i := a; i < b; i += step {
			from, to := i*stride, (i+step-1)*stride+heads*c
			l.backward(dx[from:to], part, dy[from:to], x[from:to], w, i*heads, (i+step)*heads)
		}
	})
	for i := range (n + rowBlock - 1) / rowBlock {
		part := l.part[i*2*c : (i+1)*2*c]
		addTo(l.W, part[:c])
		addTo(l.Bias, part[c:])
	}
}

// backward takes the rows from a to b.
func (l *Norm) backward(dx, part, dy, x, w []float32, a, b int) {
	c := len(w)
	if l.Kind == LayerNorm {
		norm.LayerNormBackward(dx, part[:c], part[c:], dy, x, w, l.mean[a:b], l.rstd[a:b])
		return
	}
	norm.RMSNormBackward(dx, part[:c], dy, x, w, l.rstd[a:b])
}

// addTo adds g to the gradient of p, if there is one.
func addTo(p *Param, g []float32) {
	if p == nil || p.G == nil {
		return
	}
	for i, v := range g {
		p.G[i] += v
	}
}
