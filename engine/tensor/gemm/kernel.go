package gemm

import (
	"fmt"
	"strings"

	"outcrop.dev/outcrop/engine/tensor"
)

// Kernel is one implementation of the multiplication: a micro-kernel, the sizes it wants
// and the packers that feed it. Kernels are made by this package only.
type Kernel struct {
	name   string
	bf16   bool // a word holds two bfloat16; else one float32
	mr, nr int  // rows and columns of the tile of C held in registers
	kc     int  // the length of a block of K; a multiple of kUnit
	kUnit  int  // K is padded to a multiple of this
	mc     int  // rows of A packed at a time; a multiple of mr
	// panels is how many panels of B one call of the micro-kernel takes at most.
	panels int
	// tiles[r] computes a tile of at least r rows, tileRows[r] to be exact; 1 <= r <= mr.
	tiles    []tileFunc
	tileRows []int
	packA    packAFunc
	packB    packBFunc
	// unpack makes packed B of weights of eight bits; int8Tiles[r] multiplies r rows with
	// them directly, if it is long enough.
	unpack    int8Unpack
	scale     int8Scale
	int8Tiles []int8Tile
	usable    func(tensor.CPU) bool
	// peak runs rounds of the kernel's multiply-add on registers, peakFLOP operations each.
	peak     func(rounds int)
	peakFLOP int
}

// tileFunc adds (acc != 0) or stores panels tiles of C side by side: words is the length of
// the K block, a points to the first of the rows of packed A, b to the first panel of
// packed B; ldc is the row stride of c in floats. next words from b is the next panel, for
// kernels that take several; for the others it is what they fetch into the cache meanwhile.
type tileFunc func(a, b *uint32, next int, c *float32, ldc, words, panels, acc int)

// packAFunc packs src (rows x K block) into dst, one row each aRow words, padded with zeros
// to words.
type packAFunc func(dst []uint32, aRow, words int, src Matrix)

// packBFunc packs src (K block x up to nr columns) into one panel, padded with zeros to
// words x nr.
type packBFunc func(dst []uint32, nr, words int, src Matrix)

// aRowPad is added to the row stride of packed A, so that the rows of a tile do not share
// cache sets.
const aRowPad = 16

// Name returns the name that ByName knows.
func (k *Kernel) Name() string { return k.name }

// BF16 tells whether the kernel rounds its inputs to bfloat16.
func (k *Kernel) BF16() bool { return k.bf16 }

// Spin does rounds of independent multiply-adds on registers, with the instruction that the
// kernel uses, and returns how many floating-point operations they were: timed, it gives
// the peak of one core. See package engine/tensor/roofline.
func (k *Kernel) Spin(rounds int) (flop float64) {
	if rounds <= 0 {
		return 0
	}
	k.peak(rounds)
	return float64(rounds) * float64(k.peakFLOP)
}

// words returns the packed length of n steps along K.
func (k *Kernel) words(n int) int {
	n = roundUp(n, k.kUnit)
	if k.bf16 {
		return n / 2
	}
	return n
}

// aRow returns the row stride of packed A in words.
func (k *Kernel) aRow() int { return k.words(k.kc) + aRowPad }

// height returns the height of tiles with which to cover rows evenly: 16 rows are better
// done as 8 and 8 than as 14 and 2.
func (k *Kernel) height(rows int) int {
	return k.tileRows[ceil(rows, ceil(rows, k.mr))]
}

// Kernels returns the kernels that this CPU and build can run, the best first. The last two
// are ref-f32 and ref-bf16.
func Kernels() []*Kernel { return kernelsOf(tensor.HostCPU()) }

// kernelsOf returns the kernels that cpu can run, the best first.
func kernelsOf(cpu tensor.CPU) []*Kernel {
	var ks []*Kernel
	for _, k := range registry(cpu) {
		if k.usable(cpu) {
			ks = append(ks, k)
		}
	}
	return ks
}

// Best returns the fastest kernel that this CPU can run.
func Best() *Kernel { return Kernels()[0] }

// ByName returns the named kernel. Errors: there is no such kernel, or this CPU or build
// cannot run it; the message lists those it can.
func ByName(name string) (*Kernel, error) {
	var names []string
	for _, k := range Kernels() {
		if k.name == name {
			return k, nil
		}
		names = append(names, k.name)
	}
	return nil, fmt.Errorf("kernel %q is unknown or this CPU cannot run it; it can run %s", name, strings.Join(names, ", "))
}

func ceil(n, by int) int { return (n + by - 1) / by }

func roundUp(n, to int) int { return ceil(n, to) * to }
