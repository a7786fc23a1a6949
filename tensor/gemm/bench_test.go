package gemm

import (
	"fmt"
	"math"
	"testing"
	"time"

	"outcrop.dev/outcrop/tensor"
)

// benchShape is a multiplication as training and serving do it.
type benchShape struct {
	name           string
	m, n, k        int
	transA, transB bool
}

// benchShapes are those of a model with d=256, an inner size of 704, 8,192 words and 64
// values per head, and of decoding with it.
var benchShapes = []benchShape{
	{"forward", 8192, 256, 256, false, true},
	{"forward", 2048, 704, 256, false, true},
	{"forward", 2048, 256, 704, false, true},
	{"forward", 512, 1536, 1536, false, true},
	{"dX", 2048, 256, 704, false, false},
	{"dW", 704, 256, 8192, true, false},
	{"dW", 256, 256, 8192, true, false},
	{"logits", 1024, 8192, 256, false, true},
	{"dlogits", 1024, 256, 8192, false, false},
	{"scores", 512, 512, 64, false, true},
	{"values", 512, 64, 512, false, false},
}

// fill returns a matrix in an arena, as the buffers of training are.
func fill(b *testing.B, rows, cols int, trans bool) Matrix {
	b.Helper()
	a, err := tensor.NewArena(4 * rows * cols)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	m := Matrix{Rows: rows, Cols: cols, Stride: cols, Trans: trans, F32: a.F32(rows * cols)}
	if trans {
		m.Stride = rows
	}
	for i := range m.F32 {
		m.F32[i] = float32(i%13) - 6
	}
	return m
}

func BenchmarkMul(b *testing.B) {
	for _, k := range Kernels() {
		for _, threads := range []int{1, 2} {
			for _, s := range benchShapes {
				b.Run(fmt.Sprintf("%s/%d-threads/%s-%dx%dx%d", k.name, threads, s.name, s.m, s.n, s.k), func(b *testing.B) {
					benchMul(b, k, threads, s)
				})
			}
		}
	}
}

func benchMul(b *testing.B, k *Kernel, threads int, s benchShape) {
	p := tensor.NewPool(threads)
	defer p.Close()
	x, y, c := fill(b, s.m, s.k, s.transA), fill(b, s.k, s.n, s.transB), fill(b, s.m, s.n, false).F32
	reportBest(b, s.m, s.n, s.k, func() { Mul(p, k, c, s.n, x, y, false) })
}

// BenchmarkDecode multiplies a few rows with packed weights of 26 MB, which no cache near a
// core holds: GB/s of weights is what limits it.
func BenchmarkDecode(b *testing.B) {
	const n, kk = 8192, 1536
	for _, k := range Kernels()[:1] {
		for _, threads := range []int{1, 2} {
			for _, m := range []int{1, 4, 16, 32} {
				b.Run(fmt.Sprintf("%s/%d-threads/M=%d", k.name, threads, m), func(b *testing.B) {
					p := tensor.NewPool(threads)
					defer p.Close()
					x, y, c := fill(b, m, kk, false), Pack(p, k, fill(b, kk, n, true)), make([]float32, m*n)
					best := reportBest(b, m, n, kk, func() { MulPacked(p, k, c, n, x, y, false) })
					b.ReportMetric(float64(y.Bytes())/best.Seconds()/1e9, "best-GB/s")
				})
			}
		}
	}
}

// BenchmarkPack packs the four kinds of matrix; MB/s counts what is read.
func BenchmarkPack(b *testing.B) {
	const n = 512
	for _, k := range Kernels()[:1] {
		for _, trans := range []bool{false, true} {
			src := fill(b, n, n, trans)
			b.Run(fmt.Sprintf("%s/A/trans=%v", k.name, trans), func(b *testing.B) {
				dst := aligned(n * k.aRow())
				b.SetBytes(4 * n * n)
				for b.Loop() {
					k.packA(dst, k.aRow(), k.words(min(n, k.kc)), src.sub(0, 0, n, min(n, k.kc)))
				}
			})
			b.Run(fmt.Sprintf("%s/B/trans=%v", k.name, trans), func(b *testing.B) {
				dst := Pack(nil, k, src)
				b.SetBytes(4 * n * n)
				for b.Loop() {
					dst.fill(nil, src)
				}
			})
		}
	}
}

// reportBest runs f and reports the speed of its fastest run: other programs on the machine
// can only make a run slower.
func reportBest(b *testing.B, m, n, k int, f func()) time.Duration {
	best := time.Duration(math.MaxInt64)
	for b.Loop() {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	b.ReportMetric(2*float64(m)*float64(n)*float64(k)/best.Seconds()/1e9, "best-GFLOP/s")
	return best
}
