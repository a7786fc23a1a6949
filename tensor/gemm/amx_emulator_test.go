//go:build amd64 && linux && !purego

package gemm

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"outcrop.dev/outcrop/tensor"
)

// The AMX micro-kernel must be right on machines that lack AMX too, so the tests interpret
// the committed assembly, instruction by instruction, on the buffers that the packers made.
// The interpreter knows the tile instructions as Intel SDM vol. 2 writes them down, checks
// every access, and demands that tile mode is entered and left.

// machine is the state of the interpreted CPU.
type machine struct {
	program    []instruction
	labels     map[string]int
	config     [64]byte // of tileConfig in the file
	regs       map[string]uint64
	zero       bool
	args       map[string]uint64
	memory     []segment
	configured bool
	tiles      [8][16][16]uint32
}

type instruction struct {
	op   string
	args []string
}

// segment is memory that the program may touch, at an address of our own.
type segment struct {
	base  uint64
	words []uint32
}

const configAddress = 0x100

var numbered = map[string]string{"AX_": "AX", "CX_": "CX", "DX_": "DX", "BX_": "BX", "SI_": "SI", "DI_": "DI"}

var dataLine = regexp.MustCompile(`^DATA tileConfig<>\+(\d+)\(SB\)/8, \$(\S+)$`)

// loadAMX reads the committed assembly.
var loadAMX = sync.OnceValue(func() machine {
	text, err := os.ReadFile("tile_amx_amd64.s")
	if err != nil {
		panic(err)
	}
	m := machine{labels: map[string]int{}}
	inside := false
	for line := range strings.SplitSeq(string(text), "\n") {
		line = strings.TrimSpace(line)
		if d := dataLine.FindStringSubmatch(line); d != nil {
			at, _ := strconv.Atoi(d[1])
			v, err := strconv.ParseUint(d[2], 0, 64)
			if err != nil {
				panic(err)
			}
			binary.LittleEndian.PutUint64(m.config[at:], v)
		}
		switch {
		case strings.HasPrefix(line, "TEXT ·tileAMX"):
			inside = true
		case !inside || line == "" || strings.HasPrefix(line, "//"):
		case strings.HasSuffix(line, ":"):
			m.labels[strings.TrimSuffix(line, ":")] = len(m.program)
		default:
			m.program = append(m.program, parse(line))
		}
	}
	return m
})

var macroCall = regexp.MustCompile(`^(\w+)\((.*)\)$`)

// parse splits an instruction, or a call of a macro, from its operands.
func parse(line string) instruction {
	op, rest, _ := strings.Cut(line, " ")
	if call := macroCall.FindStringSubmatch(line); call != nil {
		op, rest = call[1], call[2]
	}
	args := strings.Split(rest, ",")
	for i := range args {
		args[i] = strings.TrimSpace(args[i])
	}
	return instruction{op, args}
}

// emulateAMX is a tileFunc.
func emulateAMX(a, b *uint32, bStride int, c *float32, ldc, words, panels, acc int) {
	m := loadAMX()
	m.regs = map[string]uint64{}
	m.memory = []segment{
		{0x10000000, unsafe.Slice(a, 31*amxBF16.aRow()+words)},
		{0x20000000, unsafe.Slice(b, (panels-1)*bStride+words*32)},
		{0x30000000, unsafe.Slice((*uint32)(unsafe.Pointer(c)), 31*ldc+32*panels)},
	}
	m.args = map[string]uint64{
		"a+0": m.memory[0].base, "b+8": m.memory[1].base, "bStride+16": uint64(bStride), "c+24": m.memory[2].base,
		"ldc+32": uint64(ldc), "words+40": uint64(words), "panels+48": uint64(panels), "acc+56": uint64(acc),
	}
	m.run()
}

func (m *machine) run() {
	for pc := 0; ; pc++ {
		op, args := m.program[pc].op, m.program[pc].args
		switch op {
		case "RET":
			if m.configured {
				panic("tile mode is not left")
			}
			return
		case "JMP", "JZ", "JNZ":
			if op == "JMP" || m.zero == (op == "JZ") {
				pc = m.labels[args[0]] - 1
			}
		default:
			m.step(op, args)
		}
	}
}

// step executes one instruction that is no jump.
func (m *machine) step(op string, x []string) {
	switch op {
	case "MOVQ":
		m.regs[x[1]] = m.value(x[0])
	case "LEAQ":
		m.regs[x[1]] = m.address(x[0])
	case "ADDQ":
		m.regs[x[1]] += m.value(x[0])
	case "SHLQ":
		m.regs[x[1]] <<= m.value(x[0])
	case "SHRQ":
		m.regs[x[1]] >>= m.value(x[0])
	case "DECQ":
		m.regs[x[0]]--
		m.zero = m.regs[x[0]] == 0
	case "TESTQ":
		m.zero = m.value(x[0])&m.value(x[1]) == 0
	default:
		m.tileStep(op, x)
	}
}

// tileStep executes one AMX instruction; sources first, destination last.
func (m *machine) tileStep(op string, x []string) {
	switch op {
	case "LDTILECFG_SI":
		if m.regs["SI"] != configAddress {
			panic("LDTILECFG of something that is not tileConfig")
		}
		m.configure()
		return
	case "TILERELEASE":
		m.configured = false
		return
	}
	if !m.configured {
		panic(op + " outside tile mode")
	}
	t := number(x[len(x)-1])
	switch op {
	case "TILEZERO":
		m.tiles[t] = [16][16]uint32{}
	case "TILELOADD", "TILESTORED":
		base, stride := m.regs[numbered[x[0]]], m.regs[numbered[x[1]]]
		for row := range 16 {
			line := m.line(base + uint64(number(x[2])) + uint64(row)*stride)
			if op == "TILELOADD" {
				copy(m.tiles[t][row][:], line)
			} else {
				copy(line, m.tiles[t][row][:])
			}
		}
	case "TDPBF16PS":
		m.multiply(number(x[0]), number(x[1]), t)
	default:
		panic("the emulator does not know " + op)
	}
}

// configure checks the configuration: palette 1, all tiles 16 rows of 64 bytes.
func (m *machine) configure() {
	c := m.config
	ok := c[0] == 1 && c[1] == 0
	for t := range 8 {
		ok = ok && binary.LittleEndian.Uint16(c[16+2*t:]) == 64 && c[48+t] == 16
	}
	for _, reserved := range [][]byte{c[2:16], c[32:48], c[56:64]} {
		for _, b := range reserved {
			ok = ok && b == 0
		}
	}
	if !ok {
		panic(fmt.Sprintf("tile configuration % x", c))
	}
	m.configured, m.tiles = true, [8][16][16]uint32{}
}

// multiply is TDPBF16PS: c[row][col] += the dot product of the pairs a[row][k] and b[k][col].
func (m *machine) multiply(b, a, c int) {
	for row := range 16 {
		for col := range 16 {
			sum := math.Float32frombits(m.tiles[c][row][col])
			for k := range 16 {
				x0, x1 := halves(m.tiles[a][row][k])
				y0, y1 := halves(m.tiles[b][k][col])
				sum += float32(x0 * y0)
				sum += float32(x1 * y1)
			}
			m.tiles[c][row][col] = math.Float32bits(sum)
		}
	}
}

// line returns the 64 bytes at an address.
func (m *machine) line(at uint64) []uint32 {
	for _, s := range m.memory {
		if i := (at - s.base) / 4; at >= s.base && at%4 == 0 && i+16 <= uint64(len(s.words)) {
			return s.words[i : i+16]
		}
	}
	panic(fmt.Sprintf("access to %#x, outside the operands", at))
}

func (m *machine) value(x string) uint64 {
	switch {
	case strings.HasPrefix(x, "$"):
		return uint64(number(x[1:]))
	case strings.HasSuffix(x, "(FP)"):
		v, ok := m.args[strings.TrimSuffix(x, "(FP)")]
		if !ok {
			panic("argument " + x)
		}
		return v
	}
	v, ok := m.regs[x]
	if !ok {
		panic("register " + x + " is read before it is set")
	}
	return v
}

func (m *machine) address(x string) uint64 {
	if x == "tileConfig<>(SB)" {
		return configAddress
	}
	disp, reg, _ := strings.Cut(strings.TrimSuffix(x, ")"), "(")
	return uint64(number(disp)) + m.value(reg)
}

func number(s string) int {
	n, err := strconv.ParseInt(s, 0, 32)
	if err != nil {
		panic(err)
	}
	return int(n)
}

// testKernels are kernels that only the tests have.
func testKernels() []*Kernel {
	k := *amxBF16
	k.name = "emulated-amx-bf16"
	k.usable = func(c tensor.CPU) bool { return c.AVX512BF16 } // for the packers
	k.tiles = slices.Repeat([]tileFunc{emulateAMX}, k.mr+1)
	return []*Kernel{&k}
}
