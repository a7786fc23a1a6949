package main

import "fmt"

// tile describes a micro-kernel family: for every height one function that
// adds a K block to a tile of rows x vectors*lanes floats of C, all of it in registers.
type tile struct {
	prefix    string // of the function names
	heights   []int  // of the tiles, in rows
	vectors   int    // vectors across the tile
	reg       string // Z or Y
	bytes     int    // of a vector
	scratch   int    // the first register that is not an accumulator
	last      int    // the last register
	mulAdd    func(f *file, b, a, acc int)
	broadcast string
	unroll    int
}

// aRowBytes is the row stride of packed A: 256 words of a K block and 16 of padding (gemm.Kernel.aRow).
const aRowBytes = (256 + 16) * 4

// move loads and stores vectors.
const move = "VMOVUPS"

const tileArgs = "a, b *uint32, bStride int, c *float32, ldc, words, panels, acc int"

func (t tile) acc(row, vec int) int { return row*t.vectors + vec }

// emit writes the function for the given number of rows.
func (t tile) emit(f *file, rows int) {
	f.text(fmt.Sprintf("%s%d adds a K block to a tile of %d x %d floats.", t.prefix, rows, rows, t.vectors*t.bytes/4),
		fmt.Sprintf("%s%d", t.prefix, rows), tileArgs, 64)
	f.ins(`MOVQ a+0(FP), SI
		MOVQ b+8(FP), DI
		MOVQ c+24(FP), DX
		MOVQ ldc+32(FP), R8
		MOVQ words+40(FP), CX
		MOVQ acc+56(FP), AX
		SHLQ $2, R8
		MOVQ DX, R9
		TESTQ AX, AX
		JZ   zero`)
	t.each(rows, func(acc, off int) { f.ins("%s %d(R9), %s%d", move, off, t.reg, acc) }, func() { f.ins("ADDQ R8, R9") })
	f.ins("JMP  loop")
	f.label("zero")
	t.each(rows, func(_, off int) {
		if off%64 == 0 {
			f.ins("PREFETCHT0 %d(R9)", off)
		}
	}, func() { f.ins("ADDQ R8, R9") })
	t.each(rows, func(acc, _ int) { f.ins("VXORPS %[1]s%[2]d, %[1]s%[2]d, %[1]s%[2]d", t.reg, acc) }, func() {})
	f.label("loop")
	for u := range t.unroll {
		t.step(f, rows, u)
	}
	f.ins("ADDQ $%d, SI\nADDQ $%d, DI\nSUBQ $%d, CX\nJNZ  loop", 4*t.unroll, t.unroll*t.vectors*t.bytes, t.unroll)
	t.each(rows, func(acc, off int) { f.ins("%s %s%d, %d(DX)", move, t.reg, acc, off) }, func() { f.ins("ADDQ R8, DX") })
	f.ret()
}

// each calls do for every accumulator and its offset in the row, and next after each row
// but the last.
func (t tile) each(rows int, do func(acc, off int), next func()) {
	for r := range rows {
		for v := range t.vectors {
			do(t.acc(r, v), v*t.bytes)
		}
		if r < rows-1 {
			next()
		}
	}
}

// step is one word of K: the vectors of B, and for every row a word of A in all lanes.
func (t tile) step(f *file, rows, u int) {
	for v := range t.vectors {
		f.ins("%s %d(DI), %s%d", move, (u*t.vectors+v)*t.bytes, t.reg, t.scratch+v)
	}
	free := t.scratch + t.vectors
	for r := range rows {
		a := free + r%(t.last-free+1)
		f.ins("%s %d(SI), %s%d", t.broadcast, r*aRowBytes+4*u, t.reg, a)
		for v := range t.vectors {
			t.mulAdd(f, t.scratch+v, a, t.acc(r, v))
		}
	}
}

// The heights for which there is a function. A tile of another height runs the next larger
// function into scratch memory.
var (
	rows512 = []int{1, 2, 4, 6, 8, 10, 12, 14} // 28 accumulators, 2 registers for B, 2 for A
	rows256 = []int{1, 2, 4, 6}                // 12 accumulators, 2 registers for B, 2 for A
)

var (
	tilesBF16 = tile{
		prefix: "tileBF16x", heights: rows512, vectors: 2, reg: "Z", bytes: 64, scratch: 28, last: 31,
		broadcast: "VPBROADCASTD", unroll: 4,
		mulAdd: func(f *file, b, a, acc int) { f.ins("VDPBF16PS(%d, %d, %d)", b, a, acc) },
	}
	tilesF32 = tile{
		prefix: "tileF32x", heights: rows512, vectors: 2, reg: "Z", bytes: 64, scratch: 28, last: 31,
		broadcast: "VBROADCASTSS", unroll: 4,
		mulAdd: func(f *file, b, a, acc int) { f.ins("VFMADD231PS Z%d, Z%d, Z%d", b, a, acc) },
	}
	tilesAVX2 = tile{
		prefix: "tileAVX2x", heights: rows256, vectors: 2, reg: "Y", bytes: 32, scratch: 12, last: 15,
		broadcast: "VBROADCASTSS", unroll: 4,
		mulAdd: func(f *file, b, a, acc int) { f.ins("VFMADD231PS Y%d, Y%d, Y%d", b, a, acc) },
	}
)

func tileAVX512BF16() string { return tilesBF16.file("Micro-kernels for VDPBF16PS.", "encode_amd64.h") }
func tileAVX512F32() string  { return tilesF32.file("Micro-kernels for AVX-512, float32.") }
func tileAVX2F32() string    { return tilesAVX2.file("Micro-kernels for AVX2 and FMA3, float32.") }

func (t tile) file(comment string, includes ...string) string {
	f := newFile(comment, includes...)
	for _, r := range t.heights {
		t.emit(f, r)
	}
	return f.String()
}

// gemmStubs declares the micro-kernels and the packers.
func gemmStubs() string {
	s := newStubs("gemm", "unsafe")
	s.declare("tileAMX", tileArgs)
	for _, t := range []tile{tilesBF16, tilesF32, tilesAVX2} {
		for _, r := range t.heights {
			s.declare(fmt.Sprintf("%s%d", t.prefix, r), tileArgs)
		}
	}
	for _, p := range transposers {
		s.declare(p.name, transposeArgs)
	}
	for _, p := range peaks {
		s.declare(p.name, peakArgs)
	}
	s.declare("peakAMX", peakArgs)
	s.declare("transposeWords8", transposeArgs)
	s.declare("roundRow", roundRowArgs)
	s.declare("pairRound", pairArgs)
	s.declare("pairWords", pairArgs)
	return s.String()
}
