package gemm

import (
	"sync"
	"unsafe"

	"outcrop.dev/outcrop/tensor"
)

// Packed is a matrix B in the order in which one kernel reads it: for weights that are
// multiplied often. It does not refer to the matrix it was made from.
type Packed struct {
	kernel     *Kernel
	rows, cols int // K and N
	words      []uint32
}

// Pack packs b for k.
func Pack(p *tensor.Pool, k *Kernel, b Matrix) *Packed {
	b.check("B")
	pb := &Packed{kernel: k, rows: b.Rows, cols: b.Cols}
	pb.words = aligned(pb.size())
	pb.fill(p, b)
	return pb
}

// Repack packs b, which has the shape of the matrix that p was made from, into the memory
// of pb: for weights that training has changed.
func (pb *Packed) Repack(p *tensor.Pool, b Matrix) {
	b.check("B")
	if b.Rows != pb.rows || b.Cols != pb.cols {
		panic("gemm: Repack with another shape")
	}
	pb.fill(p, b)
}

// Rows returns K.
func (pb *Packed) Rows() int { return pb.rows }

// Cols returns N.
func (pb *Packed) Cols() int { return pb.cols }

// Bytes returns the memory that pb holds.
func (pb *Packed) Bytes() int { return 4 * len(pb.words) }

// panelCount returns the number of panels side by side.
func (pb *Packed) panelCount() int { return ceil(pb.cols, pb.kernel.nr) }

func (pb *Packed) size() int {
	full, rest := pb.rows/pb.kernel.kc, pb.rows%pb.kernel.kc
	words := full*pb.kernel.words(pb.kernel.kc) + pb.kernel.words(rest)
	return words * pb.panelCount() * pb.kernel.nr
}

// panel returns the packed panel j of the K block that begins at row k0.
func (pb *Packed) panel(k0, j int) []uint32 {
	k := pb.kernel
	words := k.words(min(k.kc, pb.rows-k0))
	start := k.words(k0)*pb.panelCount()*k.nr + j*words*k.nr
	return pb.words[start : start+words*k.nr]
}

// panelsPerPack is how many panels one packing task does: some microseconds of work.
const panelsPerPack = 4

func (pb *Packed) fill(p *tensor.Pool, b Matrix) {
	k, panels := pb.kernel, pb.panelCount()
	groups, blocks := ceil(panels, panelsPerPack), ceil(pb.rows, k.kc)
	p.For(blocks*groups, func(task, _ int) {
		k0, first := task/groups*k.kc, task%groups*panelsPerPack
		kl := min(k.kc, pb.rows-k0)
		for j := first; j < min(first+panelsPerPack, panels); j++ {
			j0 := j * k.nr
			src := b.sub(k0, j0, kl, min(k.nr, pb.cols-j0))
			k.packB(pb.panel(k0, j), k.nr, k.words(kl), src)
		}
	})
}

// cacheLine is the alignment of packed memory, in bytes.
const cacheLine = 64

// aligned returns n zeroed words that begin on a cache line.
func aligned(n int) []uint32 {
	const extra = cacheLine / 4
	s := make([]uint32, n+extra)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))&(cacheLine-1)) / 4
	return s[skip : skip+n : skip+n]
}

// keepBuffers is how many buffers of packed memory are kept for the next call: one for
// every loop that may run at a time.
const keepBuffers = 16

// buffers is packed memory that is not in use.
var buffers struct {
	sync.Mutex
	free [][]uint32
}

// borrow returns at least n words with any content, aligned to a cache line.
func borrow(n int) []uint32 {
	buffers.Lock()
	defer buffers.Unlock()
	best := -1
	for i, b := range buffers.free {
		if len(b) >= n && (best < 0 || len(b) < len(buffers.free[best])) {
			best = i
		}
	}
	if best < 0 {
		return aligned(n)
	}
	b := buffers.free[best]
	last := len(buffers.free) - 1
	buffers.free[best] = buffers.free[last]
	buffers.free = buffers.free[:last]
	return b
}

// giveBack keeps b for the next borrow; the smallest buffer goes when there are too many.
func giveBack(b []uint32) {
	buffers.Lock()
	defer buffers.Unlock()
	buffers.free = append(buffers.free, b)
	if len(buffers.free) <= keepBuffers {
		return
	}
	small := 0
	for i, f := range buffers.free {
		if len(f) < len(buffers.free[small]) {
			small = i
		}
	}
	last := len(buffers.free) - 1
	buffers.free[small] = buffers.free[last]
	buffers.free = buffers.free[:last]
}
