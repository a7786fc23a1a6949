package main

import "fmt"

// The packers: they round float32 to bfloat16, pair neighbours along K and transpose blocks
// of 16x16 words in registers. Lanes whose mask bit is 0 are read as zero and not touched in
// memory, for the edges of a matrix.

const transposeArgs = "src unsafe.Pointer, srcBytes int, dst *uint32, dstWords, blocks int, mask uint32"

// packer is one function that fills the 16 registers Z0..Z15 with 16 lines of 16 words,
// transposes them and stores them, block after block along the lines.
type packer struct {
	name, comment string
	step          int // bytes of src that a block advances
	// load fills Zr from the line at AX (stride R8) and moves AX on; Z16.. are free.
	load func(f *file, r int)
	prep string // instructions before the loads of each block
}

var transposers = []packer{
	{
		name: "transposeWords",
		comment: "for 16 lines of 16*blocks words: dst[w*dstWords+line] = src[line][w].\n" +
			"Bit w%16 of mask clear: word w is zero.",
		step: 64,
		load: func(f *file, r int) { f.ins("VMOVDQU32.Z (AX), K1, Z%d\nADDQ R8, AX", r) },
	},
	{
		name: "transposeRound",
		comment: "for 16 lines of 32*blocks float32: dst[w*dstWords+line] = the pair of src[line][2w] and src[line][2w+1],\n" +
			"rounded to bfloat16. Bit i%32 of mask clear: src[line][i] is zero.",
		step: 128,
		load: func(f *file, r int) {
			f.ins(`VMOVUPS.Z (AX), K1, Z16
				VMOVUPS.Z 64(AX), K2, Z17
				VCVTNE2PS2BF16(16, 17, %d)
				ADDQ R8, AX`, r)
		},
	},
	{
		name: "pairRoundTranspose",
		comment: "for 32 lines of 16*blocks float32: dst[i*dstWords+w] = the pair of src[2w][i] and src[2w+1][i],\n" +
			"rounded to bfloat16, w in [0,16). Bit i%16 of mask clear: column i is zero. It fetches the next 32\n" +
			"lines meanwhile: the runs are too short for the hardware to do so.",
		step: 64,
		prep: "VMOVDQU64 pairs<>(SB), Z31",
		load: func(f *file, r int) {
			f.ins(`VMOVUPS.Z (AX), K1, Z16
				VMOVUPS.Z (AX)(R8*1), K1, Z17
				PREFETCHT0 (AX)(R10*1)
				PREFETCHT0 (AX)(R11*1)
				VCVTNE2PS2BF16(16, 17, %[1]d)
				VPERMW Z%[1]d, Z31, Z%[1]d
				LEAQ (AX)(R8*2), AX`, r)
		},
	},
	{
		name: "pairTranspose",
		comment: "for 32 lines of 16*blocks bfloat16: dst[i*dstWords+w] = the pair of src[2w][i] and src[2w+1][i],\n" +
			"w in [0,16). Bit i%16 of mask clear: column i is zero.",
		step: 32,
		prep: "VMOVDQU64 pairs<>(SB), Z31",
		load: func(f *file, r int) {
			f.ins(`VMOVDQU16.Z (AX), K1, Y16
				VMOVDQU16.Z (AX)(R8*1), K1, Y17
				VINSERTI64X4 $1, Y17, Z16, Z16
				VPERMW Z16, Z31, Z%d
				LEAQ (AX)(R8*2), AX`, r)
		},
	},
}

func (p packer) emit(f *file) {
	f.text(p.name+" sets, "+p.comment, p.name, transposeArgs, 44)
	f.ins(`MOVQ src+0(FP), SI
		MOVQ srcBytes+8(FP), R8
		MOVQ dst+16(FP), DI
		MOVQ dstWords+24(FP), R9
		MOVQ blocks+32(FP), CX
		MOVL mask+40(FP), DX
		SHLQ $2, R9
		KMOVW DX, K1
		SHRL $16, DX
		KMOVW DX, K2
		MOVQ R8, R10
		SHLQ $5, R10
		LEAQ (R10)(R8*1), R11`)
	f.label("block")
	f.ins("MOVQ SI, AX")
	if p.prep != "" {
		f.ins(p.prep)
	}
	for r := range 16 {
		p.load(f, r)
	}
	transpose16(f)
	for r := range 16 {
		f.ins("VMOVDQU64 Z%d, (DI)\nADDQ R9, DI", r)
	}
	f.ins("ADDQ $%d, SI\nDECQ CX\nJNZ  block", p.step)
	f.ret()
}

// transpose16 transposes the 16x16 words in Z0..Z15, by way of Z16..Z31: pairs of words,
// then pairs of pairs, then the 128-bit lanes in two steps.
func transpose16(f *file) {
	for i := range 8 {
		f.ins("VPUNPCKLDQ Z%[2]d, Z%[1]d, Z%[3]d\nVPUNPCKHDQ Z%[2]d, Z%[1]d, Z%[4]d", 2*i, 2*i+1, 16+2*i, 17+2*i)
	}
	for i := range 4 {
		t, o := 16+4*i, 4*i
		f.ins("VPUNPCKLQDQ Z%[2]d, Z%[1]d, Z%[3]d\nVPUNPCKHQDQ Z%[2]d, Z%[1]d, Z%[4]d", t, t+2, o, o+1)
		f.ins("VPUNPCKLQDQ Z%[2]d, Z%[1]d, Z%[3]d\nVPUNPCKHQDQ Z%[2]d, Z%[1]d, Z%[4]d", t+1, t+3, o+2, o+3)
	}
	lanes := func(a, b, even, odd int) {
		f.ins("VSHUFI32X4 $0x88, Z%[2]d, Z%[1]d, Z%[3]d\nVSHUFI32X4 $0xdd, Z%[2]d, Z%[1]d, Z%[4]d", a, b, even, odd)
	}
	for i := range 4 {
		lanes(i, i+4, 16+i, 20+i)
		lanes(8+i, 12+i, 24+i, 28+i)
	}
	for i := range 8 {
		lanes(16+i, 24+i, i, 8+i)
	}
}

const (
	roundRowArgs = "src *float32, dst *uint32, blocks int, mask uint32"
	pairArgs     = "src unsafe.Pointer, srcBytes int, dst *uint32, pairs int, mask uint32"
)

func roundRow(f *file) {
	f.text("roundRow rounds 32*blocks float32 to bfloat16. Bit i%32 of mask clear: src[i] is zero.", "roundRow", roundRowArgs, 28)
	f.ins(`MOVQ src+0(FP), SI
		MOVQ dst+8(FP), DI
		MOVQ blocks+16(FP), CX
		MOVL mask+24(FP), DX
		KMOVW DX, K1
		SHRL $16, DX
		KMOVW DX, K2`)
	f.label("block")
	f.ins(`VMOVUPS.Z (SI), K1, Z0
		VMOVUPS.Z 64(SI), K2, Z1
		VCVTNE2PS2BF16(0, 1, 0)
		VMOVDQU64 Z0, (DI)
		ADDQ $128, SI
		ADDQ $64, DI
		DECQ CX
		JNZ  block`)
	f.ret()
}

// pairLines emits a function that packs pairs of lines of 32 columns, without transposing.
func pairLines(f *file, name, what, prologue, body string) {
	f.text(fmt.Sprintf(`%s sets dst[w*32+i] = the pair of src[2w][i] and src[2w+1][i]%s, for w in [0,pairs),
		i in [0,32). Bit i of mask clear: column i is zero.`, name, what), name, pairArgs, 36)
	f.ins(`MOVQ src+0(FP), SI
		MOVQ srcBytes+8(FP), R8
		MOVQ dst+16(FP), DI
		MOVQ pairs+24(FP), CX
		MOVL mask+32(FP), DX`)
	f.ins(prologue)
	f.label("pair")
	f.ins(body)
	f.ins(`LEAQ (SI)(R8*2), SI
		ADDQ $128, DI
		DECQ CX
		JNZ  pair`)
	f.ret()
}

// interleave returns the word indices that pair two registers of n words each, from word
// first on: first, n+first, first+1, ...
func interleave(first, n int) []uint64 {
	w := make([]uint64, 8)
	for i := range 32 {
		index := first + i/2 + i%2*n
		w[i/4] |= uint64(index) << (16 * (i % 4))
	}
	return w
}

func packAVX512() string {
	f := newFile("Packers for AVX-512 and AVX512_BF16.", "encode_amd64.h")
	f.raw("\n// pairs puts word 16+i of a register behind word i; pairsLow and pairsHigh do the same for\n// the lower and the upper 16 words of two registers.")
	f.data("pairs", interleave(0, 16))
	f.data("pairsLow", interleave(0, 32))
	f.data("pairsHigh", interleave(16, 32))
	for _, p := range transposers {
		p.emit(f)
	}
	roundRow(f)
	pairLines(f, "pairRound", ", rounded to bfloat16",
		"VMOVDQU64 pairs<>(SB), Z31\nKMOVW DX, K1\nSHRL $16, DX\nKMOVW DX, K2",
		`VMOVUPS.Z (SI), K1, Z0
		VMOVUPS.Z (SI)(R8*1), K1, Z1
		VMOVUPS.Z 64(SI), K2, Z2
		VMOVUPS.Z 64(SI)(R8*1), K2, Z3
		VCVTNE2PS2BF16(0, 1, 0)
		VCVTNE2PS2BF16(2, 3, 2)
		VPERMW Z0, Z31, Z0
		VPERMW Z2, Z31, Z2
		VMOVDQU64 Z0, (DI)
		VMOVDQU64 Z2, 64(DI)`)
	pairLines(f, "pairWords", "",
		"VMOVDQU64 pairsLow<>(SB), Z30\nVMOVDQU64 pairsHigh<>(SB), Z31\nKMOVD DX, K1",
		`VMOVDQU16.Z (SI), K1, Z0
		VMOVDQU16.Z (SI)(R8*1), K1, Z1
		VMOVDQA64 Z0, Z2
		VPERMT2W Z1, Z30, Z0
		VPERMT2W Z1, Z31, Z2
		VMOVDQU64 Z0, (DI)
		VMOVDQU64 Z2, 64(DI)`)
	return f.String()
}

func packAVX2() string {
	f := newFile("Packers for AVX2.")
	f.text(`transposeWords8 sets, for 8 lines of 8*blocks words: dst[w*dstWords+line] = src[line][w].
		mask is ignored.`, "transposeWords8", transposeArgs, 44)
	f.ins(`MOVQ src+0(FP), SI
		MOVQ srcBytes+8(FP), R8
		MOVQ dst+16(FP), DI
		MOVQ dstWords+24(FP), R9
		MOVQ blocks+32(FP), CX
		SHLQ $2, R9`)
	f.label("block")
	f.ins("MOVQ SI, AX")
	for r := range 8 {
		f.ins("VMOVUPS (AX), Y%d\nADDQ R8, AX", r)
	}
	transpose8(f)
	for r := range 8 {
		f.ins("VMOVUPS Y%d, (DI)\nADDQ R9, DI", r)
	}
	f.ins("ADDQ $32, SI\nDECQ CX\nJNZ  block")
	f.ret()
	return f.String()
}

// transpose8 transposes the 8x8 words in Y0..Y7, by way of Y8..Y15, as transpose16 does.
func transpose8(f *file) {
	for i := range 4 {
		f.ins("VUNPCKLPS Y%[2]d, Y%[1]d, Y%[3]d\nVUNPCKHPS Y%[2]d, Y%[1]d, Y%[4]d", 2*i, 2*i+1, 8+2*i, 9+2*i)
	}
	for i := range 2 {
		t, o := 8+4*i, 4*i
		f.ins("VUNPCKLPD Y%[2]d, Y%[1]d, Y%[3]d\nVUNPCKHPD Y%[2]d, Y%[1]d, Y%[4]d", t, t+2, o, o+1)
		f.ins("VUNPCKLPD Y%[2]d, Y%[1]d, Y%[3]d\nVUNPCKHPD Y%[2]d, Y%[1]d, Y%[4]d", t+1, t+3, o+2, o+3)
	}
	for i := range 4 {
		f.ins("VPERM2F128 $0x20, Y%[2]d, Y%[1]d, Y%[3]d\nVPERM2F128 $0x31, Y%[2]d, Y%[1]d, Y%[4]d", i, i+4, 8+i, 12+i)
	}
	for i := range 8 {
		f.ins("VMOVAPS Y%d, Y%d", 8+i, i)
	}
}
