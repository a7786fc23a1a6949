package main

// tileConfig is palette 1, and 16 rows of 64 bytes for each of the eight tiles (Intel SDM
// vol. 1, "Programming with Intel AMX").
var tileConfig = []uint64{
	1, 0, // palette 1, start row 0
	0x0040004000400040, 0x0040004000400040, 0, 0, // 64 bytes a row
	0x1010101010101010, 0, // 16 rows
}

// tileAMX is written once, by hand: it has nothing to unroll. The generator only keeps it
// beside the micro-kernels whose packed layout it shares.
func tileAMX() string {
	f := newFile("The micro-kernel for AMX: 32 x 32 floats of C in four tile registers.", "encode_amd64.h")
	f.data("tileConfig", tileConfig)
	f.text(`tileAMX adds a K block to panels tiles of 32 x 32 floats side by side, the panels of B next
		words apart. words is a multiple of 16.

		T0 T1    rows 0-15 of C, columns 0-15 and 16-31      T4  rows 0-15 of A, 32 steps of K
		T2 T3    rows 16-31                                  T5  rows 16-31
		T6 T7    columns 0-15 and 16-31 of B, 32 steps of K

		Memory operands take the registers AX, BX, CX, DX, SI and DI only (see TILELOADD). The tile
		state lives between LDTILECFG and TILERELEASE: Go code never sees it, and the scheduler
		does not preempt assembly.`, "tileAMX", tileArgs, 64)
	f.ins(`LEAQ tileConfig<>(SB), SI
		LDTILECFG_SI
		MOVQ a+0(FP), R8
		MOVQ b+8(FP), R9
		MOVQ next+16(FP), R10
		MOVQ c+24(FP), R11
		MOVQ ldc+32(FP), R12
		MOVQ panels+48(FP), R13
		SHLQ $2, R10
		SHLQ $2, R12`)
	f.ins("MOVQ $%d, CX", aRowBytes)
	f.ins("MOVQ $128, DX")
	f.label("panel")
	f.ins(`MOVQ acc+56(FP), SI
		TESTQ SI, SI
		JZ   zero`)
	tileC(f, "TILELOADD")
	f.ins("JMP  start")
	f.label("zero")
	f.ins("TILEZERO(0)\nTILEZERO(1)\nTILEZERO(2)\nTILEZERO(3)")
	f.label("start")
	f.ins("MOVQ R8, AX")
	f.ins("LEAQ %d(R8), BX", 16*aRowBytes)
	f.ins(`MOVQ R9, DI
		MOVQ words+40(FP), SI
		SHRQ $4, SI`)
	f.label("step")
	f.ins(`TILELOADD(DI_, DX_, 0, 6)
		TILELOADD(AX_, CX_, 0, 4)
		TDPBF16PS(6, 4, 0)
		TILELOADD(DI_, DX_, 64, 7)
		TDPBF16PS(7, 4, 1)
		TILELOADD(BX_, CX_, 0, 5)
		TDPBF16PS(6, 5, 2)
		TDPBF16PS(7, 5, 3)
		ADDQ $64, AX
		ADDQ $64, BX
		ADDQ $2048, DI
		DECQ SI
		JNZ  step`)
	tileC(f, "TILESTORED")
	f.ins(`ADDQ $128, R11
		ADDQ R10, R9
		DECQ R13
		JNZ  panel
		TILERELEASE
		RET`)
	return f.String()
}

// tileC loads or stores the four tiles of C.
func tileC(f *file, op string) {
	f.ins(`MOVQ R11, AX
		MOVQ R12, BX
		%[1]s(AX_, BX_, 0, 0)
		%[1]s(AX_, BX_, 64, 1)
		SHLQ $4, BX
		ADDQ BX, AX
		MOVQ R12, BX
		%[1]s(AX_, BX_, 0, 2)
		%[1]s(AX_, BX_, 64, 3)`, op)
}
