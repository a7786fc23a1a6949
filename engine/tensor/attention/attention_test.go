package attention

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

func random(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func alloc(n int) []float32 { return make([]float32, n) }

func newAttention(t *testing.T, threads int, k *gemm.Kernel, s Shape, longest int) *Attention {
	p := tensor.NewPool(threads)
	t.Cleanup(p.Close)
	return New(p, k, s, longest, alloc)
}

func refKernel(t *testing.T) *gemm.Kernel {
	k, err := gemm.ByName("ref-f32")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// exact is attention in float64, as the formula says it.
func exact(s Shape, rule Rule, segs []Segment, qkv []float64) []float64 {
	n, d, width := len(qkv)/s.Width(), s.HeadSize, s.Width()
	out := make([]float64, n*s.Heads*d)
	for _, seg := range segs {
		for t := seg.Start; t < seg.Start+seg.Len; t++ {
			for h := range s.Heads {
				q := qkv[t*width+h*d:][:d]
				kv := h / (s.Heads / s.KVHeads)
				p, sum := make([]float64, t+1-seg.Start), 0.0
				scale := 1 / math.Sqrt(float64(d))
				if rule.Scale != 0 {
					scale = float64(rule.Scale)
				}
				for u := range p {
					if rule.Window > 0 && seg.Start+u <= t-rule.Window {
						continue
					}
					k := qkv[(seg.Start+u)*width+(s.Heads+kv)*d:][:d]
					dot := 0.0
					for i := range d {
						dot += q[i] * k[i]
					}
					p[u] = math.Exp(dot * scale)
					sum += p[u]
				}
				for u := range p {
					v := qkv[(seg.Start+u)*width+(s.Heads+s.KVHeads+kv)*d:][:d]
					for i := range d {
						out[(t*s.Heads+h)*d+i] += p[u] / sum * v[i]
					}
				}
			}
		}
	}
	return out
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

type layout struct {
	Shape
	Rule
	lengths []int
}

var layouts = []layout{
	{Shape{1, 1, 2}, Rule{}, []int{1}},
	{Shape{2, 2, 6}, Rule{}, []int{5, 1, 9}},
	{Shape{4, 2, 8}, Rule{Window: 6, Scale: 0.25}, []int{3, 20}},
	{Shape{6, 1, 10}, Rule{Window: 1}, []int{17}},
	long,
	windowed,
}

// long has documents about as long as blocks; windowed has windows that leave whole blocks
// of keys out.
var (
	long     = layout{Shape{2, 1, 16}, Rule{}, []int{queryRows - 1, queryRows, queryRows + 1, 2*queryRows + 3}}
	windowed = layout{Shape{2, 1, 4}, Rule{Window: keyUnit + 7}, []int{keyUnit + 8, 3*queryRows + 5, 2 * queryRows}}
)

func (l layout) segments() (segs []Segment, n int) {
	for _, k := range l.lengths {
		segs = append(segs, Segment{n, k})
		n += k
	}
	return segs, n
}

func (l layout) String() string { return fmt.Sprintf("%v%v%v", l.Shape, l.Rule, l.lengths) }

func TestForward(t *testing.T) {
	t.Parallel()
	for _, l := range layouts {
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			segs, n := l.segments()
			qkv := random(1, n*l.Width())
			out, lse := make([]float32, n*l.Heads*l.HeadSize), make([]float32, n*l.Heads)
			newAttention(t, 2, refKernel(t), l.Shape, slices.Max(l.lengths)).Forward(l.Rule, segs, out, lse, qkv)
			for i, want := range exact(l.Shape, l.Rule, segs, wide(qkv)) {
				if !(math.Abs(float64(out[i])-want) <= 4e-6) {
					t.Fatalf("out[%d] = %g, want %g", i, out[i], want)
				}
			}
		})
	}
}

// TestBackward compares with central differences in float64.
func TestBackward(t *testing.T) {
	t.Parallel()
	for _, l := range layouts {
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			segs, n := l.segments()
			qkv, dout := random(1, n*l.Width()), random(2, n*l.Heads*l.HeadSize)
			out, lse, dqkv := make([]float32, len(dout)), make([]float32, n*l.Heads), random(3, len(qkv))
			a := newAttention(t, 2, refKernel(t), l.Shape, slices.Max(l.lengths))
			a.Forward(l.Rule, segs, out, lse, qkv)
			a.Backward(l.Rule, segs, dqkv, dout, out, lse, qkv)
			x := wide(qkv)
			loss := func() (sum float64) {
				for i, o := range exact(l.Shape, l.Rule, segs, x) {
					sum += o * float64(dout[i])
				}
				return sum
			}
			for i := 0; i < len(x); i += 1 + len(x)/40 {
				const h = 1e-5
				v := x[i]
				x[i] = v + h
				up := loss()
				x[i] = v - h
				down := loss()
				x[i] = v
				if want := (up - down) / (2 * h); !(math.Abs(float64(dqkv[i])-want) <= 1e-5*(1+math.Abs(want))) {
					t.Errorf("dqkv[%d] = %g, want %g", i, dqkv[i], want)
				}
			}
		})
	}
}

// run returns out, lse and dqkv.
func run(t *testing.T, threads int, k *gemm.Kernel, l layout, segs []Segment, longest int, qkv, dout []float32) [3][]float32 {
	n := len(qkv) / l.Width()
	a := newAttention(t, threads, k, l.Shape, longest)
	out, lse, dqkv := make([]float32, len(dout)), make([]float32, n*l.Heads), random(5, len(qkv))
	a.Forward(l.Rule, segs, out, lse, qkv)
	a.Backward(l.Rule, segs, dqkv, dout, out, lse, qkv)
	return [3][]float32{out, lse, dqkv}
}

// TestThreads: one thread and two give the same bits, with every kernel.
func TestThreads(t *testing.T) {
	t.Parallel()
	for _, l := range []layout{long, windowed} {
		segs, n := l.segments()
		qkv, dout := random(1, n*l.Width()), random(2, n*l.Heads*l.HeadSize)
		for _, k := range gemm.Kernels() {
			one := run(t, 1, k, l, segs, slices.Max(l.lengths), qkv, dout)
			two := run(t, 2, k, l, segs, slices.Max(l.lengths), qkv, dout)
			for i := range one {
				if !slices.Equal(one[i], two[i]) {
					t.Errorf("%s: result %d depends on threads", k.Name(), i)
				}
			}
		}
	}
}

// TestPackedEqualsAlone: a document gives the same bits in a packed stream and alone.
func TestPackedEqualsAlone(t *testing.T) {
	t.Parallel()
	for _, l := range []layout{long, windowed} {
		segs, n := l.segments()
		width, c := l.Width(), l.Heads*l.HeadSize
		qkv, dout := random(1, n*width), random(2, n*c)
		for _, k := range gemm.Kernels() {
			packed := run(t, 2, k, l, segs, slices.Max(l.lengths), qkv, dout)
			for _, s := range segs {
				to := s.Start + s.Len
				alone := run(t, 1, k, l, []Segment{{0, s.Len}}, s.Len, qkv[s.Start*width:to*width], dout[s.Start*c:to*c])
				if !slices.Equal(alone[0], packed[0][s.Start*c:to*c]) || !slices.Equal(alone[2], packed[2][s.Start*width:to*width]) {
					t.Errorf("%s: the document at %d sees its neighbours", k.Name(), s.Start)
				}
			}
		}
	}
}

// TestCachedEqualsWhole: rows that come one by one, or some at a time, give the same bits
// as the whole document.
func TestCachedEqualsWhole(t *testing.T) {
	t.Parallel()
	s, n := Shape{4, 2, 16}, 2*queryRows+5
	c := s.Heads * s.HeadSize
	qkv := random(1, n*s.Width())
	for _, k := range gemm.Kernels() {
		for _, rule := range []Rule{{}, {Window: keyUnit + 7, Scale: 0.3}, {Window: 5}} {
			a := newAttention(t, 2, k, s, n)
			want, got := make([]float32, n*c), make([]float32, n*c)
			a.Forward(rule, []Segment{{0, n}}, want, make([]float32, n*s.Heads), qkv)
			for _, step := range []int{1, 7, queryRows + 1, n} {
				a := NewCached(tensor.NewPool(1), k, s)
				cache := NewCache(k, s)
				for at := 0; at < n; at += step {
					run := Cached{cache, Segment{at, min(step, n-at)}, at}
					a.ForwardCached(rule, []Cached{run}, got, qkv)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s %v: %d rows at a time give another result", k.Name(), rule, step)
				}
			}
		}
	}
}
