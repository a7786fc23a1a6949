package gemm

import (
	"math"
	"sync/atomic"
	"unsafe"

	"outcrop.dev/outcrop/tensor"
)

// The reference kernels: plain Go, the definition of what the others compute and the only
// ones with -tags purego or on a CPU without AVX2. Sums are float32, in the order of k.
// About 2 GFLOP/s (BenchmarkMul/ref-f32).

const (
	refMR = 4
	refNR = 8
)

func refKernel(name string, bf16 bool, tile func(rows int) tileFunc) *Kernel {
	k := &Kernel{
		name: name, bf16: bf16, mr: refMR, nr: refNR, kc: 256, kUnit: 1, mc: 64, panels: 1,
		packA: packAGo(bf16), packB: packBGo(bf16),
		usable: func(tensor.CPU) bool { return true },
		peak:   refPeak, peakFLOP: 2 * refNR,
	}
	if bf16 {
		k.kUnit = 2
	}
	for r := range refMR + 1 {
		k.tiles = append(k.tiles, tile(r))
		k.tileRows = append(k.tileRows, r)
	}
	return k
}

// refTileF32 is the tile of rows x refNR for float32 words.
func refTileF32(aRow int) func(rows int) tileFunc {
	return func(rows int) tileFunc {
		return func(a, b *uint32, _ int, c *float32, ldc, words, _, acc int) {
			as, bs, cs := refSlices(a, b, c, rows, aRow, ldc, words)
			for r := range rows {
				sum := refLoad(cs[r*ldc:], acc)
				for k, aw := range as[r*aRow:][:words] {
					x := math.Float32frombits(aw)
					for j, bw := range bs[k*refNR:][:refNR] {
						sum[j] += float32(x * math.Float32frombits(bw))
					}
				}
				copy(cs[r*ldc:], sum[:])
			}
		}
	}
}

// refTileBF16 is the tile of rows x refNR for words of two bfloat16.
func refTileBF16(aRow int) func(rows int) tileFunc {
	return func(rows int) tileFunc {
		return func(a, b *uint32, _ int, c *float32, ldc, words, _, acc int) {
			as, bs, cs := refSlices(a, b, c, rows, aRow, ldc, words)
			for r := range rows {
				sum := refLoad(cs[r*ldc:], acc)
				for k, aw := range as[r*aRow:][:words] {
					x0, x1 := halves(aw)
					for j, bw := range bs[k*refNR:][:refNR] {
						y0, y1 := halves(bw)
						sum[j] += float32(x0 * y0)
						sum[j] += float32(x1 * y1)
					}
				}
				copy(cs[r*ldc:], sum[:])
			}
		}
	}
}

// halves splits a word into its two bfloat16.
func halves(w uint32) (lo, hi float32) {
	return math.Float32frombits(w << 16), math.Float32frombits(w &^ 0xffff)
}

func refLoad(c []float32, acc int) (sum [refNR]float32) {
	if acc != 0 {
		copy(sum[:], c)
	}
	return sum
}

func refSlices(a, b *uint32, c *float32, rows, aRow, ldc, words int) (as, bs []uint32, cs []float32) {
	as = unsafe.Slice(a, (rows-1)*aRow+words)
	bs = unsafe.Slice(b, words*refNR)
	return as, bs, unsafe.Slice(c, (rows-1)*ldc+refNR)
}

// refPeakSink keeps the compiler from leaving the loop of refPeak out.
var refPeakSink atomic.Uint32

// refPeak multiplies and adds in plain Go.
func refPeak(rounds int) {
	var sum [refNR]float32
	x := math.Float32frombits(refPeakSink.Load())
	for range rounds {
		for j := range sum {
			sum[j] += float32(x * x)
		}
	}
	refPeakSink.Store(math.Float32bits(sum[0]))
}
