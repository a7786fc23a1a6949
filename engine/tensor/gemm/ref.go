package gemm

import (
	"math"
	"sync/atomic"
	"unsafe"

	"outcrop.dev/outcrop/engine/tensor"
)

// The reference kernels: plain Go, the definition of what the others compute and the only
// ones with -tags purego or on a CPU without AVX2. Sums are float32, in the order of k.
// About 2 GFLOP/s (BenchmarkMul/ref-f32).

const (
	refMR      = 4
	refNR      = 8
	refColumns = 4 // done at a time, with their sums in registers
	refKC      = 256
	refARow    = refKC + aRowPad
)

func refKernel(name string, bf16 bool, tile func(rows int) tileFunc) *Kernel {
	k := &Kernel{
		name: name, bf16: bf16, mr: refMR, nr: refNR, kc: refKC, kUnit: 1, mc: 64, panels: 1,
		packA: packAGo(bf16), packB: packBGo(bf16), unpack: unpackGo(refNR, bf16), scale: scaleGo,
		usable: func(tensor.CPU) bool { return true },
		peak:   refPeak, peakFLOP: 2 * refNR,
	}
	if bf16 {
		k.kc, k.kUnit = 2*refKC, 2
	}
	for r := range refMR + 1 {
		k.tiles = append(k.tiles, tile(r))
		k.tileRows = append(k.tileRows, r)
	}
	return k
}

// refTileF32 is the tile of rows x refNR for float32 words.
func refTileF32(rows int) tileFunc {
	return func(a, b *uint32, _ int, c *float32, ldc, words, _, acc int) {
		refTile(a, b, c, ldc, words, acc, rows, refColumnsF32)
	}
}

// refTileBF16 is the tile of rows x refNR for words of two bfloat16.
func refTileBF16(rows int) tileFunc {
	return func(a, b *uint32, _ int, c *float32, ldc, words, _, acc int) {
		refTile(a, b, c, ldc, words, acc, rows, refColumnsBF16)
	}
}

// refTile goes through a tile, refColumns columns of a row at a time.
func refTile(a, b *uint32, c *float32, ldc, words, acc, rows int, columns func(a, b []uint32, sum *[refColumns]float32)) {
	as, bs := unsafe.Slice(a, (rows-1)*refARow+words), unsafe.Slice(b, words*refNR)
	cs := unsafe.Slice(c, (rows-1)*ldc+refNR)
	for r := range rows {
		for j := 0; j < refNR; j += refColumns {
			sum := (*[refColumns]float32)(cs[r*ldc+j:])
			if acc == 0 {
				*sum = [refColumns]float32{}
			}
			columns(as[r*refARow:][:words], bs[j:], sum)
		}
	}
}

// refColumnsF32 adds the products of a row of A with refColumns columns of B.
func refColumnsF32(a, b []uint32, sum *[refColumns]float32) {
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	for k, w := range a {
		x, y := math.Float32frombits(w), (*[refColumns]uint32)(b[k*refNR:])
		s0 += float32(x * math.Float32frombits(y[0])) // float32(): the product is rounded, never fused
		s1 += float32(x * math.Float32frombits(y[1]))
		s2 += float32(x * math.Float32frombits(y[2]))
		s3 += float32(x * math.Float32frombits(y[3]))
	}
	*sum = [refColumns]float32{s0, s1, s2, s3}
}

// refColumnsBF16 is refColumnsF32 for pairs of bfloat16, the lower first; their products are
// exact.
func refColumnsBF16(a, b []uint32, sum *[refColumns]float32) {
	s := *sum
	for k, w := range a {
		x0, x1 := halves(w)
		for j, w := range (*[refColumns]uint32)(b[k*refNR:]) {
			y0, y1 := halves(w)
			s[j] += float32(x0 * y0)
			s[j] += float32(x1 * y1)
		}
	}
	*sum = s
}

// halves splits a word into its two bfloat16.
func halves(w uint32) (lo, hi float32) {
	return math.Float32frombits(w << 16), math.Float32frombits(w &^ 0xffff)
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
