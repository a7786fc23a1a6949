package main

import "fmt"

// tile describes a micro-kernel family: for every height one function that
// adds a K block to a tile of rows x vectors*lanes floats of C, all of it in registers.
type tile struct {
	prefix    string // of the function names
	heights   []int  // of the tiles, in rows
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

// lastWords is how many words before the end of its loop a micro-kernel fetches its tile of C
// into the first level cache again, from which A and B may have driven it: time enough for
// the second level to answer.
const lastWords = 24

// lowRows is up to which height a tile fetches all of the next panel by itself; higher ones
// share that, half each, because there are several and they take longer.
const lowRows = 4

// fetched returns how many cache lines a tile fetches for each word.
func (t tile) fetched(rows int) int {
	if lines := vectors * t.bytes / 64; rows <= lowRows {
		return lines
	}
	return 1
}

const (
	move    = "VMOVUPS" // loads and stores vectors
	vectors = 2         // across a tile
)

const tileArgs = "a, b *uint32, next int, c *float32, ldc, words, panels, acc int"

func (t tile) acc(row, vec int) int { return row*vectors + vec }

// emit writes the function for the given number of rows.
func (t tile) emit(f *file, rows int) {
	name := fmt.Sprintf("%s%d", t.prefix, rows)
	f.text(fmt.Sprintf("%s is a tile of %d x %d floats.", name, rows, t.width()), name, tileArgs, 64)
	f.ins(`MOVQ a+0(FP), A_PTR
		MOVQ b+8(FP), B_PTR
		MOVQ next+16(FP), NEXT
		MOVQ c+24(FP), C_PTR
		MOVQ ldc+32(FP), LDC
		MOVQ words+40(FP), WORDS
		MOVQ acc+56(FP), ACC
		SHLQ $2, LDC
		LEAQ (B_PTR)(NEXT*4), NEXT
		MOVQ C_PTR, ROW
		TESTQ ACC, ACC
		JZ   zero`)
	nextRow := func() { f.ins("ADDQ LDC, ROW") }
	t.each(rows, func(acc, off int) { f.ins("%s %d(ROW), %s%d", move, off, t.reg, acc) }, nextRow)
	f.ins("JMP  start")
	f.label("zero")
	t.each(rows, func(acc, off int) {
		if off%64 == 0 {
			f.ins("PREFETCHT0 %d(ROW)", off)
		}
		f.ins("VXORPS %[1]s%[2]d, %[1]s%[2]d, %[1]s%[2]d", t.reg, acc)
	}, nextRow)
	f.label("start")
	f.ins(`MOVQ $%d, LAST
		SUBQ LAST, WORDS
		JG   loop
		ADDQ LAST, WORDS
		XORQ LAST, LAST`, lastWords)
	f.label("loop")
	for u := range t.unroll {
		t.step(f, rows, u)
	}
	f.ins("ADDQ $%d, A_PTR\nADDQ $%d, B_PTR\nADDQ $%d, NEXT", 4*t.unroll, t.unroll*vectors*t.bytes, t.unroll*64*t.fetched(rows))
	f.ins("SUBQ $%d, WORDS\nJNZ  loop", t.unroll)
	f.ins("TESTQ LAST, LAST\nJZ   store\nMOVQ C_PTR, ROW")
	t.each(rows, func(_, off int) {
		if off%64 == 0 {
			f.ins("PREFETCHT0 %d(ROW)", off)
		}
	}, nextRow)
	f.ins("MOVQ LAST, WORDS\nXORQ LAST, LAST\nJMP  loop")
	f.label("store")
	t.each(rows, func(acc, off int) { f.ins("%s %s%d, %d(C_PTR)", move, t.reg, acc, off) }, func() { f.ins("ADDQ LDC, C_PTR") })
	f.ret()
}

// width returns the columns of the tile.
func (t tile) width() int { return vectors * t.bytes / 4 }

// header says what all functions of the family have in common.
func (t tile) header(what string) string {
	return fmt.Sprintf(`%[1]s
		All functions are, for r < rows and j < %[2]d, with words > 0 and a multiple of %[3]d:

			sum = acc != 0 ? c[r*ldc+j] : 0
			for w < words: sum += a[r*%[4]d+w] * b[w*%[2]d+j]
			c[r*ldc+j] = sum

		where the product of two words is that of their float32, or the sum of those of their pairs of
		bfloat16. There is one panel. Meanwhile the lines from b+next on are fetched into the second
		level cache: all of a panel by a tile of up to %[10]d rows, half of one by a higher tile.

			%[5]s(2r), %[5]s(2r+1)  the sums of row r
			%[5]s%[6]d, %[5]s%[7]d      row w of b
			%[5]s%[8]d, %[5]s%[9]d      a word of a in all lanes, in turn`,
		what, t.width(), t.unroll, aRowBytes/4, t.reg, t.scratch, t.scratch+1, t.scratch+2, t.last, lowRows)
}

// each calls do for every accumulator and its offset in the row, and next after each row
// but the last.
func (t tile) each(rows int, do func(acc, off int), next func()) {
	for r := range rows {
		for v := range vectors {
			do(t.acc(r, v), v*t.bytes)
		}
		if r < rows-1 {
			next()
		}
	}
}

// step is one word of K: the vectors of B, and for every row a word of A in all lanes.
func (t tile) step(f *file, rows, u int) {
	for v := range vectors {
		f.ins("%s %d(B_PTR), %s%d", move, (u*vectors+v)*t.bytes, t.reg, t.scratch+v)
	}
	for line := range t.fetched(rows) {
		f.ins("PREFETCHT1 %d(NEXT)", 64*(u*t.fetched(rows)+line))
	}
	free := t.scratch + vectors
	for r := range rows {
		a := free + r%(t.last-free+1)
		f.ins("%s %d(A_PTR), %s%d", t.broadcast, r*aRowBytes+4*u, t.reg, a)
		for v := range vectors {
			t.mulAdd(f, t.scratch+v, a, t.acc(r, v))
		}
	}
}

// The heights for which there is a function. A tile of another height runs the next larger
// function into scratch memory.
var (
	rows512 = []int{1, 2, 3, 4, 6, 8, 10, 12, 14} // 28 accumulators, 2 registers for B, 2 for A
	rows256 = []int{1, 2, 3, 4, 6}                // 12 accumulators, 2 registers for B, 2 for A
)

var (
	tilesBF16 = tile{
		prefix: "tileBF16x", heights: rows512, reg: "Z", bytes: 64, scratch: 28, last: 31,
		broadcast: "VPBROADCASTD", unroll: 2,
		mulAdd: func(f *file, b, a, acc int) { f.ins("VDPBF16PS(%d, %d, %d)", b, a, acc) },
	}
	tilesF32 = tile{
		prefix: "tileF32x", heights: rows512, reg: "Z", bytes: 64, scratch: 28, last: 31,
		broadcast: "VBROADCASTSS", unroll: 2,
		mulAdd: func(f *file, b, a, acc int) { f.ins("VFMADD231PS Z%d, Z%d, Z%d", b, a, acc) },
	}
	tilesAVX2 = tile{
		prefix: "tileAVX2x", heights: rows256, reg: "Y", bytes: 32, scratch: 12, last: 15,
		broadcast: "VBROADCASTSS", unroll: 2,
		mulAdd: func(f *file, b, a, acc int) { f.ins("VFMADD231PS Y%d, Y%d, Y%d", b, a, acc) },
	}
)

func tileAVX512BF16() string { return tilesBF16.file("Micro-kernels for VDPBF16PS.", "encode_amd64.h") }
func tileAVX512F32() string  { return tilesF32.file("Micro-kernels for AVX-512, float32.") }
func tileAVX2F32() string    { return tilesAVX2.file("Micro-kernels for AVX2 and FMA3, float32.") }

func (t tile) file(comment string, includes ...string) string {
	f := newFile(t.header(comment), includes...)
	f.raw("\n#define A_PTR SI\n#define B_PTR DI\n#define C_PTR DX\n#define ROW R9 // of c\n#define LDC R8 // in bytes\n#define WORDS CX\n#define LAST R10\n#define NEXT R11\n#define ACC AX")
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
	for r := range int8RowsMax {
		s.declare(fmt.Sprintf("tileInt8x%d", r+1), int8TileArgs)
	}
	s.declare("unpackInt8", unpackInt8Args)
	s.declare("scaleInt8", scaleInt8Args)
	s.declare("transposeWords8", transposeArgs)
	s.declare("roundRow", roundRowArgs)
	s.declare("pairRound", pairArgs)
	s.declare("pairWords", pairArgs)
	return s.String()
}
