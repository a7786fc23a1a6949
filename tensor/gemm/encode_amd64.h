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
