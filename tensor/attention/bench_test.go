package attention

import (
	"testing"

	"outcrop.dev/outcrop/tensor"
	"outcrop.dev/outcrop/tensor/gemm"
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
