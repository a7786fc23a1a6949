package gemm

import (
	"fmt"
	"math"
	"testing"
	"time"

	"outcrop.dev/outcrop/engine/tensor"
)

// benchShape is a multiplication as training does it.
type benchShape struct {
	name           string
	m, n, k        int
	transA, transB bool
	accumulate     bool
}

// benchShapes are those of a step of 8,192 tokens of a model with d=256, an inner size of 704
// and 8,192 words, those of 2,048 tokens with d=576 and 1536, and those of attention. The
// matrices are too large for the caches, as they are in a step.
var benchShapes = []benchShape{
	{"forward", 8192, 1024, 256, false, true, false},
	{"forward", 8192, 1408, 256, false, true, false},
	{"forward", 8192, 256, 704, false, true, true},
	{"dX", 8192, 256, 1408, false, false, false},
	{"dX", 8192, 704, 256, false, false, false},
	{"dW", 1408, 256, 8192, true, false, true},
	{"dW", 256, 704, 8192, true, false, true},
	{"logits", 1024, 8192, 256, false, true, false},
	{"dlogits", 1024, 256, 8192, false, false, false},
	{"dWlogits", 8192, 256, 1024, true, false, true},
	{"forward", 2048, 3072, 576, false, true, false},
	{"forward", 2048, 576, 1536, false, true, true},
	{"dX", 2048, 576, 3072, false, false, false},
	{"dW", 3072, 576, 2048, true, false, true},
	{"scores", 128, 512, 64, false, true, false},
	{"values", 128, 64, 512, false, false, false},
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
	reportBest(b, s.m, s.n, s.k, func() { Mul(p, k, c, s.n, x, y, s.accumulate) })
}

// decodeShapes are the (N,K) of the products that one layer of a model of 135M weights
// does for a token; there are 30 layers.
var decodeShapes = [][2]int{{960, 576}, {576, 576}, {3072, 576}, {576, 1536}}

// BenchmarkDecode multiplies a few rows with packed weights of 212 MB, or 106 MB in eight
// bits, as decoding does: GB/s of weights is what limits it.
func BenchmarkDecode(b *testing.B) {
	for name, pack := range map[string]func(*tensor.Pool, *Kernel, Matrix) *Packed{"bf16": Pack, "int8": PackInt8} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d-threads", name, threads), func(b *testing.B) { benchDecode(b, threads, pack) })
		}
	}
}

func benchDecode(b *testing.B, threads int, pack func(*tensor.Pool, *Kernel, Matrix) *Packed) {
	const layers = 30
	p, k := tensor.NewPool(threads), Best()
	defer p.Close()
	var weights []*Packed
	bytes, elements := 0, 0
	for range layers {
		for _, s := range decodeShapes {
			w := pack(p, k, fill(b, s[1], s[0], true))
			weights, bytes, elements = append(weights, w), bytes+w.Bytes(), elements+s[0]*s[1]
		}
	}
	x, c := fill(b, 32, 1536, false), make([]float32, 32*3072)
	for _, m := range []int{1, 2, 4, 8, 32} {
		b.Run(fmt.Sprintf("M=%d", m), func(b *testing.B) {
			best := reportBest(b, m, elements, 1, func() {
				for _, w := range weights {
					MulPacked(p, k, c, w.cols, x.sub(0, 0, m, w.rows), w, false)
				}
			})
			b.ReportMetric(float64(bytes)/best.Seconds()/1e9, "best-GB/s")
		})
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
