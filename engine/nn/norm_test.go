package nn

import (
	"math"
	"slices"
	"testing"
)

// norms are one of each kind, for n tokens with heads rows of c channels.
func newNorms(n, heads, c int) map[string]*Norm {
	w := func(bias bool) (a Affine) {
		if a.W = newParam(1, c); bias {
			a.Bias = newParam(1, c)
		}
		return a
	}
	part := make([]float32, PartLen(n, c))
	return map[string]*Norm{
		"RMSNorm":        NewNorm(w(false), NormShape{RMSNorm, 1e-5}, n, heads, part, alloc),
		"RMSNormPlusOne": NewNorm(w(false), NormShape{RMSNormPlusOne, 1e-5}, n, heads, part, alloc),
		"LayerNorm":      NewNorm(w(true), NormShape{LayerNorm, 1e-5}, n, heads, part, alloc),
	}
}

// TestNorm: the gradients of every kind of norm are the slopes of the loss, those of x are
// added to what is there, and frozen weights have none.
func TestNorm(t *testing.T) {
	t.Parallel()
	const n, c = 5, 7
	for name, l := range newNorms(n, 1, c) {
		e := newExec(t, 2)
		x, dy, y := random(1, n*c), random(2, n*c), make([]float32, n*c)
		loss := func() float64 { l.Forward(e, y, x, n); return weighted(y, dy) }
		loss()
		before := random(3, n*c)
		dx := slices.Clone(before)
		l.Backward(e, dx, dy, x, n)
		for i := range dx {
			dx[i] -= before[i]
		}
		slopes(t, name+" x", x, dx, loss)
		slopes(t, name+" W", l.W.W, l.W.G, loss)
		if l.Bias != nil {
			slopes(t, name+" Bias", l.Bias.W, l.Bias.G, loss)
		}
		l.W.G = nil
		l.Backward(e, dx, dy, x, n)
	}
	if NewNorm(Affine{}, NormShape{}, n, 1, nil, alloc) != nil {
		t.Error("a norm without weights")
	}
}

// TestNormHeads: the heads of a row are normalised one by one, in place, and what stands
// beside them stays; the gradients are the slopes of the loss.
func TestNormHeads(t *testing.T) {
	t.Parallel()
	const n, heads, c, stride = 4, 3, 5, 19
	for name, l := range newNorms(n, heads, c) {
		e := newExec(t, 2)
		x, dy := random(1, n*stride), random(2, n*stride)
		y := slices.Clone(x)
		loss := func() float64 { copy(y, x); l.ForwardHeads(e, y, n, heads, stride); return weighted(y, dy) }
		loss()
		single := newNorms(n*heads, 1, c)[name]
		for i := range n {
			row, want := x[i*stride:(i+1)*stride], make([]float32, heads*c)
			single.Forward(e, want, row[:heads*c], heads)
			if got := y[i*stride : (i+1)*stride]; !slices.Equal(got[:heads*c], want) || !slices.Equal(got[heads*c:], row[heads*c:]) {
				t.Errorf("%s: row %d is %v, want %v and %v", name, i, got, want, row[heads*c:])
			}
		}
		dx := make([]float32, n*stride)
		l.BackwardHeads(e, dx, dy, x, n, heads, stride)
		for i := range n { // what stands beside the heads goes through as it is
			copy(dx[i*stride+heads*c:(i+1)*stride], dy[i*stride+heads*c:])
		}
		slopes(t, name+" x", x, dx, loss)
		slopes(t, name+" W", l.W.W, l.W.G, loss)
	}
}

// TestEmbeddingScale: rows are scaled and added, and so are gradients.
func TestEmbeddingScale(t *testing.T) {
	t.Parallel()
	e, l := newExec(t, 2), Embedding{W: newParam(4, 3), Scale: 2.5}
	ids, x := []int32{2, 0, 2}, random(1, 9)
	before := slices.Clone(x)
	l.Forward(e, x, ids, true)
	for i, v := range x {
		if want := before[i] + 2.5*l.W.W[int(ids[i/3])*3+i%3]; math.Abs(float64(v-want)) > 1e-6 {
			t.Errorf("x[%d] = %g, want %g", i, v, want)
		}
	}
	l.Backward(e, []float32{1, 2, 3, 10, 20, 30, 100, 200, 300}, ids)
	if want := []float32{25, 50, 75, 0, 0, 0, 252.5, 505, 757.5, 0, 0, 0}; !slices.Equal(l.W.G, want) {
		t.Errorf("W.G = %v, want %v", l.W.G, want)
	}
}
