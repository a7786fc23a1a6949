package attention

import (
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// BenchmarkAttention measures forward and backward over documents of 512 and of 64 tokens,
// four heads of 64.
func BenchmarkAttention(b *testing.B) {
	for _, length := range []int{512, 64} {
		b.Run(map[int]string{512: "long", 64: "short"}[length], func(b *testing.B) {
			s, n := Shape{4, 4, 64}, 2048
			var segs []Segment
			for at := 0; at < n; at += length {
				segs = append(segs, Segment{at, length})
			}
			p := tensor.NewPool(1)
			defer p.Close()
			a := New(p, gemm.Best(), s, length, alloc)
			qkv, dout := random(1, n*s.Width()), random(2, n*s.Heads*s.HeadSize)
			out, lse, dqkv := make([]float32, len(dout)), make([]float32, n*s.Heads), make([]float32, len(qkv))
			for b.Loop() {
				a.Forward(Rule{}, segs, out, lse, qkv)
				a.Backward(Rule{}, segs, dqkv, dout, out, lse, qkv)
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

// BenchmarkDecode computes one token of each of 32 documents of 544 tokens in 30 layers, the shape
// of SmolLM2-135M: what is limited by how fast keys and values come from memory.
func BenchmarkDecode(b *testing.B) {
	const layers, documents, length = 30, 32, 544
	s := Shape{9, 3, 64}
	p := tensor.NewPool(2)
	defer p.Close()
	a := NewCached(p, gemm.Best(), s)
	qkv, out := random(1, length*s.Width()), make([]float32, length*s.Heads*s.HeadSize)
	var runs [layers][]Cached
	for i := range documents {
		for l := range layers {
			c := NewCache(gemm.Best(), s)
			a.ForwardCached(Rule{Window: 1}, []Cached{{c, Segment{0, length - 1}, 0}}, out, qkv)
			runs[l] = append(runs[l], Cached{c, Segment{i, 1}, length - 1})
		}
	}
	b.SetBytes(layers * documents * length * int64(s.KVHeads*s.HeadSize) * 2 * 2)
	for b.Loop() {
		for l := range layers {
			a.ForwardCached(Rule{}, runs[l], out, qkv)
		}
	}
}
