package nn

import (
	"math"
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// adapted returns a frozen layer of three stacked matrices, of which the first and the last
// are adapted, planned for n rows.
func adapted(n int, drop *Dropout) Linear {
	const in, rank = 7, 2
	w := newParam(5+3+4, in)
	w.G = nil
	a := &Adapter{
		A: newParam(2*rank, in), B: newParam(5+4, rank), Columns: []int{0, 8}, Out: w.Rows,
		Scale: 0.7, Drop: drop, Layer: 3,
	}
	a.B.Parts = []Part{{"first", 5}, {"last", 4}}
	a.Plan(NewAdapterScratch([]*Adapter{a}, n, alloc), n, alloc)
	w.Adapter = a
	return Linear{W: w, Bias: newParam(1, w.Rows)}
}

// TestAdapter: the gradients of A, B and x are the slopes of the loss, with dropout and
// without, and a second Backward adds to them.
func TestAdapter(t *testing.T) {
	t.Parallel()
	for name, drop := range map[string]*Dropout{
		"plain": nil, "dropout": {P: 0.4, Seed: 5, Step: 2, Row: 9, On: true}, "evaluation": {P: 0.4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 6
			e, l := newExec(t, 2), adapted(n, drop)
			a, in, out := l.W.Adapter, l.W.Cols, l.W.Rows
			x, dy, dx, y := random(1, n*in), random(2, n*out), random(3, n*in), make([]float32, n*out)
			loss := func() float64 { l.Forward(e, y, x, n, false); return weighted(y, dy) }
			loss()
			l.Backward(e, dx, dy, x, n)
			slopes(t, "x", x, dx, loss)
			slopes(t, "A", a.A.W, a.A.G, loss)
			slopes(t, "B", a.B.W, a.B.G, loss)
			slopes(t, "Bias", l.Bias.W, l.Bias.G, loss)
			once := append(slices.Clone(a.A.G), a.B.G...)
			l.Backward(e, dx, dy, x, n)
			for i, g := range append(slices.Clone(a.A.G), a.B.G...) {
				if math.Abs(float64(g-2*once[i])) > 1e-5*(1+math.Abs(float64(g))) {
					t.Fatalf("gradient %d is %g after two passes of %g", i, g, once[i])
				}
			}
		})
	}
}

// TestAdapterIsItsProduct: the layer computes x·(W + Scale·B·A)ᵀ, and leaves the columns
// that are not adapted as they are, bit for bit.
func TestAdapterIsItsProduct(t *testing.T) {
	t.Parallel()
	const n = 6
	e, l := newExec(t, 2), adapted(n, nil)
	a, in, out, r := l.W.Adapter, l.W.Cols, l.W.Rows, 2
	x, y, plain := random(1, n*in), make([]float32, n*out), make([]float32, n*out)
	l.Forward(e, y, x, n, false)
	Linear{W: &Param{Rows: out, Cols: in, W: l.W.W}, Bias: l.Bias}.Forward(e, plain, x, n, false)
	for i := range n {
		for o := range out {
			want, b := float64(plain[i*out+o]), -1
			switch {
			case o < 5:
				b = o
			case o >= 8:
				b = o - 3
			}
			if b >= 0 {
				part := b / 5
				for k := range r {
					for j := range in {
						want += float64(a.Scale) * float64(a.B.W[b*r+k]) * float64(a.A.W[(part*r+k)*in+j]) * float64(x[i*in+j])
					}
				}
			}
			if got := float64(y[i*out+o]); math.Abs(got-want) > 1e-5*(1+math.Abs(want)) || b < 0 && got != want {
				t.Fatalf("y[%d,%d] = %g, want %g", i, o, got, want)
			}
		}
	}
}

// TestLowRankRows: a row's result is the same bits in training, packed, and alone, with
// every kernel.
func TestLowRankRows(t *testing.T) {
	t.Parallel()
	for _, k := range gemm.Kernels() {
		const n = 37
		e, l := newExec(t, 2), adapted(n, nil)
		e.Kernel = k
		a, in, out := l.W.Adapter, l.W.Cols, l.W.Rows
		x, y, want := random(1, n*in), make([]float32, n*out), make([]float32, n*out)
		low, scratch := a.Pack(e), make([]float32, n*a.A.Rows)
		Linear{W: l.W}.Forward(e, want, x, n, false)
		Linear{W: &Param{Rows: out, Cols: in, W: l.W.W}}.Forward(e, y, x, n, false)
		low.Forward(Exec{Kernel: k}, y[:3*out], x, scratch, 3)
		for i := 3; i < n; i++ {
			low.Forward(e, y[i*out:], x[i*in:], scratch, 1)
		}
		if !slices.Equal(y, want) {
			t.Errorf("%s: rows alone give other results than together", k.Name())
		}
	}
}

// TestFrozen: weights kept in bfloat16 give what their float32 values give, and no gradient.
func TestFrozen(t *testing.T) {
	t.Parallel()
	const n = 20
	for _, k := range gemm.Kernels() {
		e, l := newExec(t, 2), adapted(n, nil)
		e.Kernel = k
		half := *l.W
		half.W, half.Half = nil, make([]tensor.BF16, l.W.Len())
		for i, w := range l.W.W {
			half.Half[i] = tensor.ToBF16(w)
			l.W.W[i] = half.Half[i].Float32()
		}
		x, dy := random(1, n*l.W.Cols), random(2, n*l.W.Rows)
		results := func(w *Param) (y, dx []float32) {
			y, dx = make([]float32, n*w.Rows), make([]float32, n*w.Cols)
			Linear{W: w}.Forward(e, y, x, n, false)
			Linear{W: w}.Backward(e, dx, dy, x, n)
			return y, dx
		}
		y, dx := results(l.W)
		y2, dx2 := results(&half)
		if !slices.Equal(y, y2) || !slices.Equal(dx, dx2) {
			t.Errorf("%s: bfloat16 weights give other results", k.Name())
		}
	}
}

// TestDropout: the part that is dropped is P, and the mask depends on the seed, the step, the
// layer and the row of the step, and on nothing else.
func TestDropout(t *testing.T) {
	t.Parallel()
	const n, c = 200, 101
	mask := func(threads int, d *Dropout, layer uint64, from, to int) (masked []float32) {
		d.Row, d.On = from, true
		x := slices.Repeat([]float32{1}, (to-from)*c)
		d.apply(newExec(t, threads), x, to-from, c, layer, func() { masked = slices.Clone(x) })
		return masked
	}
	d := &Dropout{P: 0.25, Seed: 1, Step: 2}
	whole := mask(1, d, 3, 0, n)
	for _, p := range []float64{0.01, 0.05, 0.25, 0.5, 0.95} {
		if got, sd := zeros(mask(2, &Dropout{P: p}, 0, 0, n)), math.Sqrt(p*(1-p)/(n*c)); math.Abs(got-p) > 4*sd {
			t.Errorf("%.4f of the elements are dropped, want %g", got, p)
		}
	}
	if !slices.Equal(mask(2, d, 3, 0, n), whole) {
		t.Error("the mask depends on threads")
	}
	if !slices.Equal(append(mask(2, d, 3, 0, 77), mask(2, d, 3, 77, n)...), whole) {
		t.Error("the mask depends on how the step is cut")
	}
	for name, other := range map[string][]float32{
		"seed": mask(1, &Dropout{P: 0.25, Seed: 2, Step: 2}, 3, 0, n), "step": mask(1, &Dropout{P: 0.25, Seed: 1, Step: 3}, 3, 0, n),
		"layer": mask(1, d, 4, 0, n), "row": append(whole[c:], whole[:c]...), "column": append(whole[1:], whole[0]),
	} {
		same := make([]float32, n*c)
		for i, y := range other {
			if y != whole[i] {
				same[i] = 1
			}
		}
		if part := zeros(same); math.Abs(part-0.625) > 0.02 { // ¾² + ¼²
			t.Errorf("another %s gives a mask that agrees in %.3f, want 0.625", name, part)
		}
	}
}

// zeros returns the part of x that is zero.
func zeros(x []float32) float64 {
	n := 0
	for _, v := range x {
		if v == 0 {
			n++
		}
	}
	return float64(n) / float64(len(x))
}

// TestDropoutRestores: what is dropped for the time of a product comes back.
func TestDropoutRestores(t *testing.T) {
	t.Parallel()
	const n, c = 70, 33
	e, x := newExec(t, 2), random(1, n*c)
	d := &Dropout{P: 0.3, On: true}
	want := slices.Clone(x)
	d.apply(e, x, n, c, 1, func() {
		if slices.Equal(x, want) {
			t.Error("nothing is dropped")
		}
	})
	if !slices.Equal(x, want) {
		t.Error("the values have not come back")
	}
}
