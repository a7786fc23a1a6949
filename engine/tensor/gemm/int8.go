package gemm

import (
	"math"
	"unsafe"

	"outcrop.dev/outcrop/engine/tensor"
)

// Weights of eight bits: every column of B is stored as whole numbers q of -127 to 127 and
// one scale, B[k,j] = q[k,j]*scale[j]. They are half the bytes of bfloat16, and it is bytes
// that limit decoding. Whole numbers below 256 are exact in bfloat16, so the micro-kernels
// for bfloat16 multiply them as they are; the sums are scaled at the end.
//
// A panel is int8Cols columns wide. Its bytes are a sign bit and a magnitude, in the order
// in which unpacking bytes of 128-bit lanes leaves neighbours along K side by side (int8At).

// int8Cols is the width of a panel: two cache lines for each pair of steps along K.
const int8Cols = 64

// int8Max is the largest magnitude.
const int8Max = 127

// int8At returns where, in a panel, the byte of step k of column j is.
func int8At(k, j int) int {
	lane, pair := j%16/4, j%4
	return k/2*2*int8Cols + j/32*64 + lane*16 + j%32/16*8 + pair*2 + k%2
}

// int8Tile is tileFunc over a panel of bytes: it adds, or stores, a tile of rows x int8Cols
// sums; ldc is the row stride of c.
type int8Tile func(a *uint32, b *byte, c *float32, ldc, words, acc int)

// int8Unpack writes words of a panel of bytes as panels of packed B side by side.
type int8Unpack func(dst []uint32, src []byte, words int)

// PackInt8 packs b for k in eight bits. |q*scale - b| <= max|b[:,j]|/254 (TestInt8).
// Multiplying rounds A to bfloat16 where k does.
func PackInt8(p *tensor.Pool, k *Kernel, b Matrix) *Packed { return PackInt8In(nil, p, k, b) }

// PackInt8In is PackInt8 with memory of an arena.
func PackInt8In(arena *tensor.Arena, p *tensor.Pool, k *Kernel, b Matrix) *Packed {
	b.check("B")
	panels := ceil(b.Cols, int8Cols)
	pb := &Packed{kernel: k, rows: b.Rows, cols: b.Cols, scales: floats(take(arena, panels*int8Cols))}
	words := take(arena, panels*pb.int8Panel()/4)
	pb.bytes = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 4*len(words))
	p.For(panels, func(j, _ int) { pb.quantize(b, j) })
	return pb
}

// int8Panel returns the bytes of a panel.
func (pb *Packed) int8Panel() int { return pb.int8Start(pb.rows) }

// int8Start returns where in a panel the block of K begins that begins at row k0; each is
// padded as the kernel wants it.
func (pb *Packed) int8Start(k0 int) int {
	k := pb.kernel
	return 2 * int8Cols * (k0/k.kc*int8Words(k, k.kc) + int8Words(k, k0%k.kc))
}

// int8Words returns how many pairs of steps a block of n steps is padded to.
func int8Words(k *Kernel, n int) int { return roundUp(n, max(k.kUnit, 2)) / 2 }

// quantize fills panel p.
func (pb *Packed) quantize(b Matrix, p int) {
	panel := pb.bytes[p*pb.int8Panel():][:pb.int8Panel()]
	for j := range min(int8Cols, pb.cols-p*int8Cols) {
		column := p*int8Cols + j
		scale := columnMax(b, column) / int8Max
		pb.scales[column] = scale
		for k0 := 0; k0 < pb.rows; k0 += pb.kernel.kc {
			block := panel[pb.int8Start(k0):]
			for k := range min(pb.kernel.kc, pb.rows-k0) {
				block[int8At(k, j)] = int8Bits(b.At(k0+k, column), scale)
			}
		}
	}
}

// columnMax returns the largest magnitude of a column; NaN if there is one.
func columnMax(b Matrix, j int) (top float32) {
	for k := range b.Rows {
		top = max(top, float32(math.Abs(float64(b.At(k, j)))))
	}
	return top
}

// int8Bits returns x/scale rounded, as a sign bit and a magnitude. What is not finite is
// zero: its scale is not finite either, and shows.
func int8Bits(x, scale float32) byte {
	q := math.RoundToEven(float64(x / scale))
	switch {
	case !(math.Abs(q) <= int8Max):
		return 0
	case q < 0:
		return 0x80 | byte(-q)
	}
	return byte(q)
}

// int8Value returns the whole number that bits stand for.
func int8Value(bits byte) float32 {
	if bits&0x80 != 0 {
		return -float32(bits & 0x7f)
	}
	return float32(bits)
}

// int8Scale sets c = sums*scales, or adds it; all are of one length.
type int8Scale func(c, sums, scales []float32, accumulate bool)

// unpackGo is the definition of int8Unpack for panels of nr columns.
func unpackGo(nr int, bf16 bool) int8Unpack {
	return func(dst []uint32, src []byte, words int) {
		for w := range words {
			for j := range int8Cols {
				at := (j/nr*words+w)*nr + j%nr
				if !bf16 {
					dst[at] = math.Float32bits(int8Value(src[int8At(w, j)]))
					continue
				}
				lo, hi := int8Value(src[int8At(2*w, j)]), int8Value(src[int8At(2*w+1, j)])
				dst[at] = uint32(tensor.ToBF16(lo)) | uint32(tensor.ToBF16(hi))<<16
			}
		}
	}
}

// int8Block is the part of C that one task computes: all rows of A, some panels.
type int8Block struct {
	block
	blocks int       // of K
	sums   []float32 // (rows,int8Cols)
	panel  []uint32  // unpacked
}

// mulInt8 multiplies with a B of eight bits.
func mulInt8(p *tensor.Pool, c []float32, ldc int, a Matrix, b *Packed, accumulate bool) {
	k, panels := b.kernel, ceil(b.cols, int8Cols)
	each := ceil(panels, streams(b, p.Threads()))
	across := ceil(panels, each)
	whole := block{k: k, c: c, ldc: ldc, a: a, b: *b, accumulate: accumulate}
	p.For(across*ceil(a.Rows, k.mc), func(task, _ int) {
		t := int8Block{block: whole, blocks: ceil(a.Cols, k.kc)}
		t.i0, t.p0 = task/across*k.mc, task%across*each
		t.i1, t.p1 = min(t.i0+k.mc, a.Rows), min(t.p0+each, panels)
		t.run()
	})
}

func (t *int8Block) run() {
	k, rows := t.k, t.i1-t.i0
	height := roundUp(rows, max(k.mr, packRowGroup))
	aWords, sums, panel := t.blocks*height*k.aRow(), height*int8Cols, k.words(k.kc)*int8Cols
	buf := borrow(aWords + sums + panel)
	t.packedA, t.sums, t.panel = buf[:aWords], floats(buf[aWords:][:sums]), buf[aWords+sums:][:panel]
	for b := range t.blocks {
		kl := min(k.kc, t.a.Cols-b*k.kc)
		k.packA(t.packedA[b*height*k.aRow():], k.aRow(), k.words(kl), t.a.sub(t.i0, b*k.kc, rows, kl))
	}
	for p := t.p0; p < t.p1; p++ {
		for b := range t.blocks {
			t.multiply(p, b, t.packedA[b*height*k.aRow():])
		}
		t.finish(p)
	}
	giveBack(buf)
}

// int8Passes is how often the tiles that read bytes may pass over a panel: with more rows it
// is faster to unpack it first (BenchmarkDecode).
const int8Passes = 2

// multiply adds block b of K of panel p to the sums.
func (t *int8Block) multiply(p, b int, a []uint32) {
	k, k0, rows := t.k, b*t.k.kc, t.i1-t.i0
	words := k.words(min(k.kc, t.a.Cols-k0))
	src := t.b.bytes[p*t.b.int8Panel()+t.b.int8Start(k0):]
	if most := len(k.int8Tiles) - 1; rows <= int8Passes*most {
		for i := 0; i < rows; i += most {
			k.int8Tiles[min(most, rows-i)](&a[i*k.aRow()], &src[0], &t.sums[i*int8Cols], int8Cols, words, b2i(b > 0))
		}
		return
	}
	k.unpack(t.panel, src, words)
	step := k.height(rows)
	for i := 0; i < rows; i += step {
		for j := 0; j < int8Cols; j += k.nr {
			k.tiles[min(step, rows-i)](&a[i*k.aRow()], &t.panel[j*words], 0, &t.sums[i*int8Cols+j], int8Cols, words, 1, b2i(b > 0))
		}
	}
}

// finish scales the sums of panel p into C.
func (t *int8Block) finish(p int) {
	j0 := p * int8Cols
	cols := min(int8Cols, t.b.cols-j0)
	scales := t.b.scales[j0:][:cols]
	for i := t.i0; i < t.i1; i++ {
		t.k.scale(t.c[i*t.ldc+j0:][:cols], t.sums[(i-t.i0)*int8Cols:][:cols], scales, t.accumulate)
	}
}

// scaleGo is the definition of int8Scale.
func scaleGo(c, sums, scales []float32, accumulate bool) {
	for j, s := range scales {
		v := float32(s * sums[j]) // float32(): rounded, never fused
		if accumulate {
			v += c[j]
		}
		c[j] = v
	}
}
