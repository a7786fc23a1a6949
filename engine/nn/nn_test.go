package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

func alloc(n int) []float32 { return make([]float32, n) }

func random(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func newExec(t *testing.T, threads int) Exec {
	k, err := gemm.ByName("ref-f32")
	if err != nil {
		t.Fatal(err)
	}
	p := tensor.NewPool(threads)
	t.Cleanup(p.Close)
	return Exec{Pool: p, Kernel: k}
}

func newParam(rows, cols int) *Param {
	p := NewParam("w", rows, cols)
	p.W, p.G = random(9, p.Len()), make([]float32, p.Len())
	return p
}

// slopes compares gradients with central differences of loss, at some elements of x.
func slopes(t *testing.T, name string, x, g []float32, loss func() float64) {
	t.Helper()
	for i := 0; i < len(x); i += 1 + len(x)/30 {
		const h = 1e-2
		v := x[i]
		x[i] = v + h
		up := loss()
		x[i] = v - h
		down := loss()
		x[i] = v
		if want := (up - down) / (2 * h); !(math.Abs(float64(g[i])-want) <= 2e-3*(1+math.Abs(want))) {
			t.Errorf("%s: gradient %d is %g, want %g", name, i, g[i], want)
		}
	}
}

func weighted(y, dy []float32) (sum float64) {
	for i, v := range y {
		sum += float64(v) * float64(dy[i])
	}
	return sum
}

func TestLinear(t *testing.T) {
	t.Parallel()
	const n, in, out = 5, 7, 3
	e, l := newExec(t, 2), Linear{W: newParam(out, in), Bias: newParam(1, out)}
	x, dy := random(1, n*in), random(2, n*out)
	y := make([]float32, n*out)
	loss := func() float64 { l.Forward(e, y, x, n, false); return weighted(y, dy) }
	dx := random(3, n*in)
	l.Backward(e, dx, dy, x, n)
	slopes(t, "x", x, dx, loss)
	slopes(t, "W", l.W.W, l.W.G, loss)
	slopes(t, "Bias", l.Bias.W, l.Bias.G, loss)
	once := slices.Clone(l.W.G)
	l.Backward(e, dx, dy, x, n)
	for i, g := range l.W.G {
		if math.Abs(float64(g-2*once[i])) > 1e-5*(1+math.Abs(float64(g))) {
			t.Fatalf("W.G[%d] = %g after two passes of %g", i, g, once[i])
		}
	}
	l.Forward(e, y, x, n, false)
	first := slices.Clone(y)
	l.Forward(e, y, x, n, true)
	for i, v := range y {
		if math.Abs(float64(v-2*first[i])) > 1e-5*(1+math.Abs(float64(v))) {
			t.Fatalf("y[%d] = %g, want twice %g", i, v, first[i])
		}
	}
}

// TestThreads: the sums of Norm, Embedding and Bias over rows do not depend on threads.
func TestThreads(t *testing.T) {
	t.Parallel()
	const n, c = 5*rowBlock + 3, 2*columnBlock + 5
	x, dy := random(1, n*c), random(2, n*c)
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(i * i % 7)
	}
	grads := func(threads int) (norm, embed, bias []float32) {
		e, w := newExec(t, threads), newParam(1, c)
		l := NewNorm(Affine{W: w}, NormShape{Eps: 1e-5}, n, 1, alloc(PartLen(n, c)), alloc)
		l.Forward(e, make([]float32, n*c), x, n)
		l.Backward(e, make([]float32, n*c), dy, x, n)
		emb := Embedding{W: newParam(7, c)}
		emb.Backward(e, dy, tokens)
		lin := Linear{W: newParam(c, 3), Bias: newParam(1, c)}
		lin.Backward(e, make([]float32, n*3), dy, x, n)
		return w.G, emb.W.G, lin.Bias.G
	}
	n1, e1, b1 := grads(1)
	n2, e2, b2 := grads(2)
	if !slices.Equal(n1, n2) || !slices.Equal(e1, e2) || !slices.Equal(b1, b2) {
		t.Error("gradients depend on threads")
	}
}

func TestEmbedding(t *testing.T) {
	t.Parallel()
	e, l := newExec(t, 2), Embedding{W: newParam(4, 3)}
	x := make([]float32, 9)
	l.Forward(e, x, []int32{2, 0, 2}, false)
	if want := append(append(slices.Clone(l.W.W[6:9]), l.W.W[0:3]...), l.W.W[6:9]...); !slices.Equal(x, want) {
		t.Errorf("x = %v, want %v", x, want)
	}
	l.Backward(e, []float32{1, 2, 3, 10, 20, 30, 100, 200, 300}, []int32{2, 0, 2})
	if want := []float32{10, 20, 30, 0, 0, 0, 101, 202, 303, 0, 0, 0}; !slices.Equal(l.W.G, want) {
		t.Errorf("W.G = %v, want %v", l.W.G, want)
	}
	l.Round = true
	l.Forward(e, x[:3], []int32{1}, false)
	for i, v := range x[:3] {
		if v != tensor.ToBF16(l.W.W[3+i]).Float32() {
			t.Errorf("x[%d] = %g is not rounded", i, v)
		}
	}
}

// TestHead: rows without a target count for nothing, and chunks make no difference.
func TestHead(t *testing.T) {
	t.Parallel()
	const n, c, v = 21, 5, 11
	e, w := newExec(t, 2), newParam(v, c)
	x := random(1, n*c)
	targets := make([]int32, n)
	for i := range targets {
		if targets[i] = int32(i % v); i%3 == 0 {
			targets[i] = -1
		}
	}
	head := NewHead(w, n, alloc)
	dx := random(2, n*c)
	sum, count := head.LossBackward(e, dx, x, targets, 0.5)
	if count != 14 {
		t.Errorf("%d rows have a target", count)
	}
	loss := func() float64 { s, _ := head.Loss(e, x, targets); return 0.5 * s }
	slopes(t, "x", x, dx, loss)
	slopes(t, "W", w.W, w.G, loss)
	for i := range c {
		if dx[i] != 0 {
			t.Errorf("row 0 has no target and gradient %g", dx[i])
		}
	}
	whole := slices.Clone(w.G)
	clear(w.G)
	head.chunk = 4
	dx4 := make([]float32, n*c)
	sum4, _ := head.LossBackward(e, dx4, x, targets, 0.5)
	if sum4 != sum || !slices.Equal(dx4, dx) {
		t.Errorf("loss %g in chunks, %g at once", sum4, sum)
	}
	for i, g := range w.G {
		if math.Abs(float64(g-whole[i])) > 1e-6*(1+math.Abs(float64(g))) {
			t.Fatalf("W.G[%d] = %g in chunks, %g at once", i, g, whole[i])
		}
	}
}

// TestHeadChunk: the logits that exist at once stay within the limit.
func TestHeadChunk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rows, v, want int }{
		{100, 8192, 100}, {8192, 8192, 1024}, {8192, 1 << 16, 128}, {8192, 1 << 18, chunkRowsMin}, {4, 1 << 18, 4},
	} {
		if h := NewHead(NewParam("w", c.v, 1), c.rows, func(int) []float32 { return nil }); h.chunk != c.want {
			t.Errorf("%d rows, vocabulary %d: chunks of %d, want %d", c.rows, c.v, h.chunk, c.want)
		}
	}
}
