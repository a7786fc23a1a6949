package main

import (
	"fmt"
	"math"
	"regexp"
	"strings"
)

// The loops over vectors: each is written once, below, and emitted for AVX-512 and for
// AVX2. Registers are written r0 to r15 and become Z0 to Z15 or Y0 to Y15; with AVX2, r15
// holds the mask of the last, shorter vector. Constants lie in memory, a vector each.

// isa is an instruction set.
type isa struct {
	suffix string // of function names
	reg    string
	lanes  int
}

var (
	avx512 = isa{"512", "Z", 16}
	avx2   = isa{"256", "Y", 8}
)

// loop is one function: straight-line work on one vector of each slice, repeated.
type loop struct {
	name, comment string
	slices        []string // parameters; all as long as the first
	scalars       []string // float32 parameters
	result        string   // "", or how the lanes of r9 are reduced: "sum", "max", "sum64"
	exp           bool     // the body uses exp
	begin         string   // before the loop; scalars are in r14, r13, r12, ...
	body          func(v *vec)
}

// pointers are the registers of the slices, in order.
var pointers = []string{"SI", "DI", "DX", "BX", "R8"}

const firstScalar = 14

// vec emits the body of a loop.
type vec struct {
	*file
	isa
	slices []string
	masked bool
}

var register = regexp.MustCompile(`\br(\d+)\b`)

// op writes instructions, with rN for vector registers.
func (v *vec) op(text string) {
	v.ins("%s", register.ReplaceAllString(text, v.reg+"$1"))
}

func (v *vec) address(slice string) string {
	for i, s := range v.slices {
		if s == slice {
			return "(" + pointers[i] + ")(AX*1)"
		}
	}
	panic("no slice " + slice)
}

// load loads a vector; lanes beyond the end are zero.
func (v *vec) load(slice string, r int) {
	switch {
	case !v.masked:
		v.op(fmt.Sprintf("VMOVUPS %s, r%d", v.address(slice), r))
	case v.reg == "Z":
		v.op(fmt.Sprintf("VMOVUPS.Z %s, K1, r%d", v.address(slice), r))
	default:
		v.op(fmt.Sprintf("VMASKMOVPS %s, r15, r%d", v.address(slice), r))
	}
}

func (v *vec) store(r int, slice string) {
	switch {
	case !v.masked:
		v.op(fmt.Sprintf("VMOVUPS r%d, %s", r, v.address(slice)))
	case v.reg == "Z":
		v.op(fmt.Sprintf("VMOVUPS r%d, K1, %s", r, v.address(slice)))
	default:
		v.op(fmt.Sprintf("VMASKMOVPS r%d, r15, %s", r, v.address(slice)))
	}
}

// zeroBeyond clears the lanes of r beyond the end.
func (v *vec) zeroBeyond(r int) {
	switch {
	case !v.masked:
	case v.reg == "Z":
		v.op(fmt.Sprintf("VMOVAPS.Z r%[1]d, K1, r%[1]d", r))
	default:
		v.op(fmt.Sprintf("VANDPS r15, r%[1]d, r%[1]d", r))
	}
}

// minusInfBeyond sets the lanes of r beyond the end to -Inf.
func (v *vec) minusInfBeyond(r int) {
	switch {
	case !v.masked:
	case v.reg == "Z":
		v.op(fmt.Sprintf("KNOTW K1, K2\nVMOVUPS minusInf<>(SB), K2, r%d", r))
	default:
		v.op(fmt.Sprintf("VMOVUPS minusInf<>(SB), r1\nVBLENDVPS r15, r%[1]d, r1, r%[1]d", r))
	}
}

// exp sets r0 to its exponential; r1, r2 and r3 are lost, r10 and r11 hold the limits.
//
// x is cut to [-104, 89], where the result is 0 or infinite in float32; the order of the
// operands lets NaN pass. Then x = n ln 2 + r with |r| <= ln(2)/2, and e^r is the polynomial
// of Cephes' expf (S. L. Moshier), exact to about one unit in the last place.
func (v *vec) exp() {
	v.op(`VMAXPS r0, r11, r0
		VMINPS r0, r10, r0
		VMULPS log2e<>(SB), r0, r1`)
	if v.reg == "Z" {
		v.op("VRNDSCALEPS $8, r1, r1")
	} else {
		v.op("VROUNDPS $8, r1, r1")
	}
	v.op(`VFNMADD231PS ln2High<>(SB), r1, r0
		VFNMADD231PS ln2Low<>(SB), r1, r0
		VMOVUPS exp7<>(SB), r2
		VFMADD213PS exp6<>(SB), r0, r2
		VFMADD213PS exp5<>(SB), r0, r2
		VFMADD213PS exp4<>(SB), r0, r2
		VFMADD213PS exp3<>(SB), r0, r2
		VFMADD213PS exp2<>(SB), r0, r2
		VFMADD213PS one<>(SB), r0, r2
		VFMADD213PS one<>(SB), r0, r2`)
	if v.reg == "Z" {
		v.op("VSCALEFPS r1, r2, r0")
		return
	}
	// 2^n in two factors, because 2^n alone may be subnormal or infinite.
	v.op(`VCVTPS2DQ r1, r1
		VPSRAD $1, r1, r3
		VPSUBD r3, r1, r1
		VPADDD bias<>(SB), r3, r3
		VPADDD bias<>(SB), r1, r1
		VPSLLD $23, r3, r3
		VPSLLD $23, r1, r1
		VMULPS r3, r2, r2
		VMULPS r1, r2, r0`)
}

// sigmoid sets r5 to 1/(1+e^-x) of x in r4, by way of e = exp(-|x|), which cannot overflow:
// 1/(1+e) for x >= 0, e/(1+e) else. r0 to r3 are lost.
func (v *vec) sigmoid() {
	v.op("VORPS signBit<>(SB), r4, r0")
	v.exp()
	v.op("VADDPS one<>(SB), r0, r1\nVMOVUPS one<>(SB), r2")
	if v.reg == "Z" {
		v.op("VPMOVD2M r4, K3\nVMOVAPS r0, K3, r2")
	} else {
		v.op("VBLENDVPS r4, r0, r2, r2")
	}
	v.op("VDIVPS r1, r2, r5")
}

// normal sets r5 to the normal distribution P of x in r4, and r0 to exp(-x^2/2); r1 to r3
// and r6 are lost. P(-|x|) is t*(a1 + t*(a2 + ...))*exp(-x^2/2)/2, t = 1/(1 + p*|x|/sqrt(2)),
// within 0.75e-7 (Abramowitz and Stegun 1964, 7.1.26).
func (v *vec) normal() {
	v.op("VMULPS r4, r4, r0\nVMULPS minusHalf<>(SB), r0, r0")
	v.exp()
	v.op(`VMOVUPS signBit<>(SB), r5
		VANDNPS r4, r5, r5
		VMOVUPS one<>(SB), r1
		VMOVUPS erf0<>(SB), r6
		VFMADD213PS r1, r6, r5
		VDIVPS r5, r1, r5
		VMOVUPS erf5<>(SB), r6
		VFMADD213PS erf4<>(SB), r5, r6
		VFMADD213PS erf3<>(SB), r5, r6
		VFMADD213PS erf2<>(SB), r5, r6
		VFMADD213PS erf1<>(SB), r5, r6
		VMULPS r5, r6, r6
		VMULPS r0, r6, r6
		VSUBPS r6, r1, r5`)
	if v.reg == "Z" {
		v.op("VPMOVD2M r4, K3\nVMOVAPS r6, K3, r5")
	} else {
		v.op("VBLENDVPS r4, r6, r5, r5")
	}
}

// gradients stores dgate = dact*up*r0 and dup = dact*r4; r7 and r8 are lost.
func (v *vec) gradients() {
	v.load("dact", 7)
	v.load("up", 8)
	v.op(`VMULPS r7, r8, r8
		VMULPS r0, r8, r8
		VMULPS r4, r7, r7`)
	v.store(8, "dgate")
	v.store(7, "dup")
}

// constants are the vectors in memory.
func vecConstants(f *file) {
	for _, c := range []struct {
		name string
		bits uint32
	}{
		{"log2e", math.Float32bits(math.Log2E)},
		{"ln2High", math.Float32bits(0.693359375)},
		{"ln2Low", math.Float32bits(-2.12194440e-4)},
		{"exp7", math.Float32bits(1.9875691500e-4)},
		{"exp6", math.Float32bits(1.3981999507e-3)},
		{"exp5", math.Float32bits(8.3334519073e-3)},
		{"exp4", math.Float32bits(4.1665795894e-2)},
		{"exp3", math.Float32bits(1.6666665459e-1)},
		{"exp2", math.Float32bits(5.0000001201e-1)},
		{"one", math.Float32bits(1)},
		{"expMax", math.Float32bits(89)},
		{"expMin", math.Float32bits(-104)},
		{"minusInf", math.Float32bits(float32(math.Inf(-1)))},
		{"signBit", 1 << 31},
		{"bias", 127},
		{"minusHalf", math.Float32bits(-0.5)},
		{"density", math.Float32bits(0.3989422804)}, // 1/sqrt(2*pi)
		{"erf0", math.Float32bits(0.3275911 / math.Sqrt2)},
		{"erf1", math.Float32bits(0.254829592 / 2)},
		{"erf2", math.Float32bits(-0.284496736 / 2)},
		{"erf3", math.Float32bits(1.421413741 / 2)},
		{"erf4", math.Float32bits(-1.453152027 / 2)},
		{"erf5", math.Float32bits(1.061405429 / 2)},
		{"tanhLinear", math.Float32bits(1.5957691216)}, // 2*sqrt(2/pi)
		{"tanhCube", math.Float32bits(0.0713548163)},   // that times 0.044715
		{"tanhSlope", math.Float32bits(0.2140644489)},  // three times that
		{"squareMax", math.Float32bits(400)},
	} {
		var words [8]uint64
		for i := range words {
			words[i] = uint64(c.bits)<<32 | uint64(c.bits)
		}
		f.data(c.name, words[:])
	}
	// A load that begins 4n bytes before the middle has n lanes set.
	f.data("lanes", []uint64{math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxUint64, 0, 0, 0, 0})
}

// params returns the Go parameters, the offsets of the scalars, and the sizes.
func (l loop) params() (args string, scalarAt []int, resultAt, bytes int) {
	args = strings.Join(l.slices, ", ") + " []float32"
	if len(l.scalars) > 0 {
		args += ", " + strings.Join(l.scalars, ", ") + " float32"
	}
	at := 24 * len(l.slices)
	for range l.scalars {
		scalarAt = append(scalarAt, at)
		at += 4
	}
	if l.result == "" {
		return args, scalarAt, 0, at
	}
	at = (at + 7) &^ 7
	if l.result == "sum64" {
		return args, scalarAt, at, at + 8
	}
	return args, scalarAt, at, at + 4
}

func (l loop) returns() string {
	switch l.result {
	case "":
		return ""
	case "sum64":
		return " float64"
	}
	return " float32"
}

func (l loop) emit(f *file, i isa) {
	args, scalarAt, resultAt, bytes := l.params()
	f.raw("")
	f.comment(fmt.Sprintf("%[1]s%[2]s: %[3]s\n\nfunc %[1]s%[2]s(%[4]s)%[5]s", l.name, i.suffix, l.comment, args, l.returns()))
	f.raw("TEXT ·%s%s(SB), NOSPLIT, $0-%d", l.name, i.suffix, bytes)
	v := &vec{file: f, isa: i, slices: l.slices}
	for n, s := range l.slices {
		f.ins("MOVQ %s_base+%d(FP), %s", s, 24*n, pointers[n])
	}
	f.ins("MOVQ %s_len+8(FP), CX\nXORQ AX, AX", l.slices[0])
	for n, s := range l.scalars {
		v.op(fmt.Sprintf("VBROADCASTSS %s+%d(FP), r%d", s, scalarAt[n], firstScalar-n))
	}
	if l.exp {
		v.op("VMOVUPS expMin<>(SB), r11\nVMOVUPS expMax<>(SB), r10")
	}
	if l.begin != "" {
		v.op(l.begin)
	}
	l.loop(v)
	if l.result != "" {
		v.reduce(l.result, resultAt)
	}
	f.ret()
}

// loop writes the loop over whole vectors and the one for the rest.
func (l loop) loop(v *vec) {
	v.ins("SUBQ $%d, CX\nJLT  rest", v.lanes)
	v.label("vector")
	l.body(v)
	v.ins("ADDQ $%d, AX\nSUBQ $%d, CX\nJGE  vector", 4*v.lanes, v.lanes)
	v.label("rest")
	v.ins("ADDQ $%d, CX\nJZ   done", v.lanes)
	if v.reg == "Z" {
		v.ins("MOVL $1, R9\nSHLL CX, R9\nDECL R9\nKMOVW R9, K1")
	} else {
		v.ins("LEAQ lanes<>+32(SB), R9\nSHLQ $2, CX\nSUBQ CX, R9\nVMOVUPS (R9), Y15")
	}
	v.masked = true
	l.body(v)
	v.label("done")
}

// squares64 adds the squares of the lanes of r0 to r9 in float64: the lower half, then the
// upper.
func (v *vec) squares64() {
	if v.reg == "Z" {
		v.ins("VCVTPS2PD Y0, Z1\nVEXTRACTF64X4 $1, Z0, Y2\nVCVTPS2PD Y2, Z2")
	} else {
		v.ins("VCVTPS2PD X0, Y1\nVEXTRACTF128 $1, Y0, X2\nVCVTPS2PD X2, Y2")
	}
	v.op("VFMADD231PD r1, r1, r9\nVFMADD231PD r2, r2, r9")
}

// reduce returns the sum or the maximum of the lanes of the accumulator r9.
func (v *vec) reduce(how string, at int) {
	if how == "sum64" {
		v.reduce64(at)
		return
	}
	op := map[string]string{"sum": "VADDPS", "max": "VMAXPS"}[how]
	if v.reg == "Z" {
		v.ins("VEXTRACTF64X4 $1, Z9, Y0\n%s Y0, Y9, Y9", op)
	}
	v.ins(`VEXTRACTF128 $1, Y9, X0
		%[1]s X0, X9, X9
		VSHUFPS $0x4e, X9, X9, X0
		%[1]s X0, X9, X9
		VSHUFPS $0xb1, X9, X9, X0
		%[1]s X0, X9, X9
		VMOVSS X9, ret+%[2]d(FP)`, op, at)
}

func (v *vec) reduce64(at int) {
	if v.reg == "Z" {
		v.ins("VEXTRACTF64X4 $1, Z9, Y0\nVADDPD Y0, Y9, Y9")
	}
	v.ins("VEXTRACTF128 $1, Y9, X0\nVADDPD X0, X9, X9\nVSHUFPD $1, X9, X9, X0\nVADDPD X0, X9, X9")
	v.ins("VMOVSD X9, ret+%d(FP)", at)
}

func vecFile(i isa) func() string {
	return func() string {
		f := newFile(`Loops over slices of float32, one vector at a time; the last, shorter vector is masked.

		The comment above each function is what it does with every element. AX counts the bytes done, CX
		the elements left; the slices are at SI, DI, DX, BX and R8, scalars in registers 14, 13, ..., a
		sum or maximum in register 9. Lanes beyond the end are read as zero and never written.`)
		vecConstants(f)
		for _, l := range loops {
			l.emit(f, i)
		}
		return f.String()
	}
}

func vecStubs() string {
	s := newStubs("vec", "")
	for _, i := range []isa{avx512, avx2} {
		for _, l := range loops {
			args, _, _, _ := l.params()
			fmt.Fprintf(s, "\n//go:noescape\nfunc %s%s(%s)%s\n", l.name, i.suffix, args, l.returns())
		}
	}
	return s.String()
}
