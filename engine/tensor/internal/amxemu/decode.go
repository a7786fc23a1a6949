package amxemu

import (
	"encoding/binary"
	"errors"
)

// op is one of the instructions that are performed.
type op int

const (
	opLoadConfig op = iota + 1 // LDTILECFG m512
	opRelease                  // TILERELEASE
	opZero                     // TILEZERO tmm
	opLoad                     // TILELOADD tmm, sibmem (and TILELOADDT1, the same with a cache hint)
	opStore                    // TILESTORED sibmem, tmm
	opDotBF16                  // TDPBF16PS tmm1, tmm2, tmm3
)

// instruction is a decoded tile instruction. dst is the tile in ModRM.reg, a the one in
// ModRM.rm, b the one in VEX.vvvv.
type instruction struct {
	op        op
	dst, a, b int
	mem       memory
	size      int // bytes
}

// memory is an operand in memory: base + disp, and for tiles the stride index<<scale.
// base and index are register numbers, -1 for none.
type memory struct {
	base, index int
	scale       uint
	disp        int64
}

var errNotTile = errors.New("not a tile instruction")

// instructionMax is the length of the longest x86 instruction.
const instructionMax = 15

// The VEX encodings, three-byte form: C4, RXBmmmmm, WvvvvLpp, opcode, ModRM.
const (
	vex3      = 0xC4
	map0F38   = 2
	ppNone    = 0
	pp66      = 1
	ppF3      = 2
	ppF2      = 3
	opcodeCfg = 0x49
	opcodeMem = 0x4B
	opcodeDot = 0x5C
)

// decode reads the instruction at the start of code.
func decode(code []byte) (instruction, error) {
	if len(code) < 5 || code[0] != vex3 || code[1]&0x1F != map0F38 {
		return instruction{}, errNotTile
	}
	vex := prefix{notR: code[1] >> 7 & 1, notX: code[1] >> 6 & 1, notB: code[1] >> 5 & 1, pp: code[2] & 3}
	modrm := code[4]
	in := instruction{
		dst:  int(modrm >> 3 & 7),
		a:    int(modrm & 7),
		b:    int(^code[2] >> 3 & 15),
		size: 5,
	}
	register := modrm>>6 == 3
	in.op = operation(code[3], vex.pp, register, in.dst)
	if in.op == 0 || in.b > 7 {
		return instruction{}, errNotTile
	}
	if register {
		return in, nil
	}
	n, err := in.mem.decode(vex, modrm, code[5:])
	in.size += n
	return in, err
}

type prefix struct{ notR, notX, notB, pp byte }

func operation(opcode, pp byte, register bool, reg int) op {
	switch {
	case opcode == opcodeCfg && pp == ppNone && !register:
		return opLoadConfig
	case opcode == opcodeCfg && pp == ppNone && register && reg == 0:
		return opRelease
	case opcode == opcodeCfg && pp == ppF2 && register:
		return opZero
	case opcode == opcodeMem && (pp == ppF2 || pp == pp66) && !register:
		return opLoad
	case opcode == opcodeMem && pp == ppF3 && !register:
		return opStore
	case opcode == opcodeDot && pp == ppF3 && register:
		return opDotBF16
	}
	return 0
}

// decode reads the SIB byte and the displacement that follow ModRM, and returns their length.
func (m *memory) decode(vex prefix, modrm byte, rest []byte) (n int, err error) {
	mod, rm := modrm>>6, modrm&7
	m.base, m.index = int(rm|(vex.notB^1)<<3), -1
	if rm == 4 { // a SIB byte follows
		if len(rest) < 1 {
			return 0, errNotTile
		}
		sib := rest[0]
		m.scale = uint(sib >> 6)
		if i := int(sib>>3&7 | (vex.notX^1)<<3); i != 4 {
			m.index = i
		}
		m.base = int(sib&7 | (vex.notB^1)<<3)
		n = 1
	}
	if mod == 0 && m.base&7 == 5 {
		return n, errNotTile // absolute and RIP-relative: the kernels use neither
	}
	return n + int(m.displacement(mod, rest[n:])), displacementFits(mod, rest[n:])
}

func (m *memory) displacement(mod byte, rest []byte) (n byte) {
	switch {
	case mod == 1 && len(rest) >= 1:
		m.disp = int64(int8(rest[0]))
		return 1
	case mod == 2 && len(rest) >= 4:
		m.disp = int64(int32(binary.LittleEndian.Uint32(rest)))
		return 4
	}
	return 0
}

func displacementFits(mod byte, rest []byte) error {
	if (mod == 1 && len(rest) < 1) || (mod == 2 && len(rest) < 4) {
		return errNotTile
	}
	return nil
}
