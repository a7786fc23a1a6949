package main

import "fmt"

// peakArgs is the number of rounds.
const peakArgs = "rounds int"

// peak is a loop of multiply-adds on registers that depend on nothing but themselves, enough
// of them to hide their latency: what a core can do at best.
type peak struct {
	name, reg string
	count     int // of accumulators, and of multiply-adds a round
	mulAdd    func(f *file, acc int)
}

var peaks = []peak{
	{"peakF32x256", "Y", 12, func(f *file, acc int) { f.ins("VFMADD231PS Y14, Y15, Y%d", acc) }},
	{"peakF32x512", "Z", 24, func(f *file, acc int) { f.ins("VFMADD231PS Z28, Z29, Z%d", acc) }},
	{"peakBF16x512", "Z", 24, func(f *file, acc int) { f.ins("VDPBF16PS(28, 29, %d)", acc) }},
}

func peakLoops() string {
	f := newFile("Loops that measure the peak of an instruction set.", "encode_amd64.h")
	for _, p := range peaks {
		p.emit(f)
	}
	f.text("peakAMX is rounds times 6 independent TDPBF16PS of 16x16x32.", "peakAMX", peakArgs, 8)
	f.ins("MOVQ rounds+0(FP), CX\nLEAQ tilePeak<>(SB), SI\nLDTILECFG_SI")
	for t := range 8 {
		f.ins("TILEZERO(%d)", t)
	}
	f.label("round")
	for t := range 6 {
		f.ins("TDPBF16PS(7, 6, %d)", t)
	}
	f.ins("DECQ CX\nJNZ  round\nTILERELEASE\nRET")
	f.data("tilePeak", tileConfig)
	return f.String()
}

func (p peak) emit(f *file) {
	f.text(fmt.Sprintf("%s is rounds times %d independent multiply-adds.", p.name, p.count), p.name, peakArgs, 8)
	f.ins("MOVQ rounds+0(FP), CX")
	for r := range p.count + 8 {
		if p.reg == "Y" && r == 16 {
			break
		}
		f.ins("VXORPS %[1]s%[2]d, %[1]s%[2]d, %[1]s%[2]d", p.reg, r)
	}
	f.label("round")
	for a := range p.count {
		p.mulAdd(f, a)
	}
	f.ins("DECQ CX\nJNZ  round")
	f.ret()
}
