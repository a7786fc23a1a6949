package main

import (
	"fmt"
	"math"
)

// The micro-kernels for weights of eight bits (gemm/int8.go). A byte is a sign and a
// magnitude; the magnitude looks up the two bytes of its bfloat16 in a table of 128 each
// (VPERMI2B ignores the sign bit of the index), and the sign is put back.

const (
	int8TileArgs   = "a *uint32, b *byte, c *float32, ldc, words, acc int"
	unpackInt8Args = "dst *uint32, src *byte, words int"
	scaleInt8Args  = "c, sums, scales *float32, cols, acc int"
	int8RowsMax    = 4
	int8FetchAhead = 4096 // bytes: what arrives in the time that memory takes to answer
	int8Columns    = 4    // vectors of sums of a row: 64 columns
)

// Registers: the sums of row r are Z(4r) to Z(4r+3).
const (
	int8B      = 16 // Z16 to Z19: the four vectors of a word of B, unpacked
	int8Bytes  = 20
	int8Low    = 21
	int8High   = 22
	int8A      = 23 // and 24
	int8Sign   = 25
	int8Tables = 26 // Z26, Z27 lower bytes, Z28, Z29 upper bytes
)

// int8Table returns the lower or the upper bytes of the bfloat16 of 0 to 127.
func int8Table(shift int) []uint64 {
	t := make([]uint64, 16)
	for i := range 128 {
		b := uint64(math.Float32bits(float32(i))>>(16+shift)) & 0xff // whole numbers below 256 are exact
		t[i/8] |= b << (8 * (i % 8))
	}
	return t
}

func int8File() string {
	f := newFile("Micro-kernels for weights of eight bits and VDPBF16PS; AVX-512 with VBMI.", "encode_amd64.h")
	f.raw("\n// The bytes of the bfloat16 of 0 to 127.")
	f.data("int8Lower", int8Table(0))
	f.data("int8Upper", int8Table(8))
	f.data("int8SignBits", []uint64{0x8080808080808080})
	for rows := 1; rows <= int8RowsMax; rows++ {
		int8Tile(f, rows)
	}
	unpackInt8(f)
	scaleInt8(f)
	return f.String()
}

// int8Prologue loads the tables.
func int8Prologue(f *file) {
	for i := range 2 {
		f.ins("VMOVDQU64 int8Lower<>+%d(SB), Z%d", 64*i, int8Tables+i)
		f.ins("VMOVDQU64 int8Upper<>+%d(SB), Z%d", 64*i, int8Tables+2+i)
	}
	f.ins("VPBROADCASTQ int8SignBits<>(SB), Z%d", int8Sign)
}

// unpackWord unpacks the 128 bytes at off(ptr) into Z16 to Z19.
func unpackWord(f *file, ptr string, off int) {
	for half := range 2 {
		f.ins("VMOVDQU64 %d(%s), Z%d", off+64*half, ptr, int8Bytes)
		f.ins("VMOVDQA64 Z%[1]d, Z%[2]d\nVPERMI2B Z%[4]d, Z%[3]d, Z%[2]d", int8Bytes, int8Low, int8Tables, int8Tables+1)
		f.ins("VMOVDQA64 Z%[1]d, Z%[2]d\nVPERMI2B Z%[4]d, Z%[3]d, Z%[2]d", int8Bytes, int8High, int8Tables+2, int8Tables+3)
		f.ins("VPTERNLOGD $0xf8, Z%d, Z%d, Z%d", int8Sign, int8Bytes, int8High) // high |= bytes & sign
		f.ins("VPUNPCKLBW Z%[2]d, Z%[1]d, Z%[3]d\nVPUNPCKHBW Z%[2]d, Z%[1]d, Z%[4]d", int8Low, int8High, int8B+2*half, int8B+2*half+1)
	}
}

func int8Tile(f *file, rows int) {
	name := fmt.Sprintf("tileInt8x%d", rows)
	f.text(fmt.Sprintf(`%s is, for r < %d and j < 64, with words > 0 and a multiple of 2:

			sum = acc != 0 ? c[r*ldc+j] : 0
			for w < words: sum += a[r*%d+w] * the pair of b[int8At(2w,j)] and b[int8At(2w+1,j)]
			c[r*ldc+j] = sum`, name, rows, aRowBytes/4), name, int8TileArgs, 48)
	f.ins(`MOVQ a+0(FP), SI
		MOVQ b+8(FP), DI
		MOVQ c+16(FP), DX
		MOVQ ldc+24(FP), R8
		MOVQ words+32(FP), CX
		MOVQ acc+40(FP), AX
		SHLQ $2, R8
		MOVQ DX, R9`)
	int8Prologue(f)
	each := func(do func(acc, off int)) {
		for r := range rows {
			for v := range int8Columns {
				do(r*int8Columns+v, 64*v)
			}
			if r < rows-1 {
				f.ins("ADDQ R8, R9")
			}
		}
	}
	f.ins("TESTQ AX, AX\nJZ   zero")
	each(func(acc, off int) { f.ins("VMOVUPS %d(R9), Z%d", off, acc) })
	f.ins("JMP  loop")
	f.label("zero")
	for acc := range rows * int8Columns {
		f.ins("VXORPS Z%[1]d, Z%[1]d, Z%[1]d", acc)
	}
	f.label("loop")
	for u := range 2 {
		unpackWord(f, "DI", 128*u)
		f.ins("PREFETCHT0 %d(DI)\nPREFETCHT0 %d(DI)", 128*u+int8FetchAhead, 128*u+int8FetchAhead+64)
		for r := range rows {
			f.ins("VPBROADCASTD %d(SI), Z%d", r*aRowBytes+4*u, int8A+r%2)
			for v := range int8Columns {
				f.ins("VDPBF16PS(%d, %d, %d)", int8B+v, int8A+r%2, r*int8Columns+v)
			}
		}
	}
	f.ins("ADDQ $8, SI\nADDQ $256, DI\nSUBQ $2, CX\nJNZ  loop\nMOVQ DX, R9")
	each(func(acc, off int) { f.ins("VMOVUPS Z%d, %d(R9)", acc, off) })
	f.ret()
}

// unpackInt8 emits the function that makes two panels of packed B of one of bytes.
func unpackInt8(f *file) {
	f.text(`unpackInt8 sets, for w < words and j < 64, words > 0: dst[(j/32*words+w)*32+j%32] = the pair of
		bfloat16 of src[int8At(2w,j)] and src[int8At(2w+1,j)].`, "unpackInt8", unpackInt8Args, 24)
	f.ins(`MOVQ dst+0(FP), DI
		MOVQ src+8(FP), SI
		MOVQ words+16(FP), CX
		MOVQ CX, R8
		SHLQ $7, R8`)
	int8Prologue(f)
	f.label("word")
	unpackWord(f, "SI", 0)
	f.ins(`VMOVDQU64 Z16, (DI)
		VMOVDQU64 Z17, 64(DI)
		VMOVDQU64 Z18, (DI)(R8*1)
		VMOVDQU64 Z19, 64(DI)(R8*1)
		ADDQ $128, SI
		ADDQ $128, DI
		DECQ CX
		JNZ  word`)
	f.ret()
}

// scaleInt8 emits the function that ends a row.
func scaleInt8(f *file) {
	f.text(`scaleInt8 sets, for j < cols, cols > 0: c[j] = sums[j]*scales[j], added to c[j] if acc != 0; both
		operations round.`, "scaleInt8", scaleInt8Args, 40)
	f.ins(`MOVQ c+0(FP), DI
		MOVQ sums+8(FP), SI
		MOVQ scales+16(FP), DX
		MOVQ cols+24(FP), CX
		MOVQ acc+32(FP), AX
		MOVL $0xffff, R9`)
	f.label("vector")
	f.ins(`CMPQ CX, $16
		JGE  whole
		MOVL $1, R9
		SHLL CX, R9
		DECL R9`)
	f.label("whole")
	f.ins(`KMOVW R9, K1
		VMOVUPS.Z (SI), K1, Z0
		VMOVUPS.Z (DX), K1, Z1
		VMULPS Z1, Z0, Z0
		TESTQ AX, AX
		JZ   set
		VMOVUPS.Z (DI), K1, Z1
		VADDPS Z1, Z0, Z0`)
	f.label("set")
	f.ins(`VMOVUPS Z0, K1, (DI)
		ADDQ $64, DI
		ADDQ $64, SI
		ADDQ $64, DX
		SUBQ $16, CX
		JG   vector`)
	f.ret()
}
