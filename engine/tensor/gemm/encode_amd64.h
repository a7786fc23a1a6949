// Instructions that the Go assembler does not know, one macro each, named as the mnemonic
// and with the operands in Go order: sources first, destination last. Operands are register
// numbers. TestEncodings disassembles every one of them with GNU objdump.
//
// EVEX prefix, Intel SDM vol. 2A section 2.7.1: 62 | R X B R' 0 m m m | W vvvv 1 pp |
// z L'L b V' aaa; R, X, B, R', vvvv and V' are inverted.

#define EVEX_P0(b, d) (0x02|((~(d>>3)&1)<<7)|((~(b>>4)&1)<<6)|((~(b>>3)&1)<<5)|((~(d>>4)&1)<<4))
#define EVEX_P1(a, pp) (0x04|pp|((~(a)&15)<<3))
#define EVEX_P2(a) (0x40|((~(a>>4)&1)<<3))
#define EVEX_MODRM(b, d) (0xC0|((d&7)<<3)|(b&7))

// VDPBF16PS Zb, Za, Zd: EVEX.512.F3.0F38.W0 52 /r. For each lane d += a.hi*b.hi + a.lo*b.lo.
#define VDPBF16PS(b, a, d) BYTE $0x62; BYTE $EVEX_P0(b, d); BYTE $EVEX_P1(a, 2); BYTE $EVEX_P2(a); BYTE $0x52; BYTE $EVEX_MODRM(b, d)

// VCVTNE2PS2BF16 Zb, Za, Zd: EVEX.512.F2.0F38.W0 72 /r. The lower half of d is b rounded, the upper a.
#define VCVTNE2PS2BF16(b, a, d) BYTE $0x62; BYTE $EVEX_P0(b, d); BYTE $EVEX_P1(a, 3); BYTE $EVEX_P2(a); BYTE $0x72; BYTE $EVEX_MODRM(b, d)

// AMX (Intel SDM vol. 2): VEX prefix C4 | R X B m-mmmm | W vvvv L pp. Tile numbers 0 to 7.
// A memory operand is base, index and a 32-bit displacement; the row stride of the tile is
// the index. Base and index are the numbers below: the other registers would need other
// prefix bits.

#define AX_ 0
#define CX_ 1
#define DX_ 2
#define BX_ 3
#define SI_ 6
#define DI_ 7

// LDTILECFG (SI): VEX.128.NP.0F38.W0 49 !(11):000:bbb
#define LDTILECFG_SI BYTE $0xC4; BYTE $0xE2; BYTE $0x78; BYTE $0x49; BYTE $0x06

// TILERELEASE: VEX.128.NP.0F38.W0 49 C0
#define TILERELEASE BYTE $0xC4; BYTE $0xE2; BYTE $0x78; BYTE $0x49; BYTE $0xC0

// TILEZERO Tt: VEX.128.F2.0F38.W0 49 11:rrr:000
#define TILEZERO(t) BYTE $0xC4; BYTE $0xE2; BYTE $0x7B; BYTE $0x49; BYTE $(0xC0|(t<<3))

// TILELOADD disp(base)(index*1), Tt: VEX.128.F2.0F38.W0 4B !(11):rrr:100 with SIB
#define TILELOADD(base, index, disp, t) BYTE $0xC4; BYTE $0xE2; BYTE $0x7B; BYTE $0x4B; BYTE $(0x84|(t<<3)); BYTE $((index<<3)|base); LONG $disp

// TILESTORED Tt, disp(base)(index*1): VEX.128.F3.0F38.W0 4B !(11):rrr:100 with SIB
#define TILESTORED(base, index, disp, t) BYTE $0xC4; BYTE $0xE2; BYTE $0x7A; BYTE $0x4B; BYTE $(0x84|(t<<3)); BYTE $((index<<3)|base); LONG $disp

// TDPBF16PS Tb, Ta, Tc: VEX.128.F3.0F38.W0 5C 11:rrr:bbb. c += a*b, with pairs of bfloat16.
#define TDPBF16PS(b, a, c) BYTE $0xC4; BYTE $0xE2; BYTE $(0x02|((15-b)<<3)); BYTE $0x5C; BYTE $(0xC0|(c<<3)|a)
