package gemm

import (
	"unsafe"

	"outcrop.dev/outcrop/engine/tensor"
)

// Packed is a matrix B in the order in which one kernel reads it: for weights that are
// multiplied often. It does not refer to the matrix it was made from.
type Packed struct {
	kernel     *Kernel
	rows, cols int // K and N
	words      []uint32
	// bytes and scales are in place of words where PackInt8 made it.
	bytes  []byte
	scales []float32
	// pages are in place of words in MulPaged; byRow says that they cut rows.
	pages [][]uint32
	byRow bool
}

// Pack packs b for k.
func Pack(p *tensor.Pool, k *Kernel, b Matrix) *Packed { return PackIn(nil, p, k, b) }

// PackIn is Pack with memory of an arena, where matrices lie side by side on huge pages: of those of
// a small model none would fill one alone.
func PackIn(arena *tensor.Arena, p *tensor.Pool, k *Kernel, b Matrix) *Packed {
	b.check("B")
	pb := &Packed{kernel: k, rows: b.Rows, cols: b.Cols}
	pb.words = take(arena, pb.size())
	pb.fill(p, b)
	return pb
}

// PackBriefly is Pack for a matrix that is needed for some products only: Release gives the
// memory back for the next.
func PackBriefly(p *tensor.Pool, k *Kernel, b Matrix) *Packed {
	b.check("B")
	pb := &Packed{kernel: k, rows: b.Rows, cols: b.Cols}
	pb.words = borrow(pb.size())
	pb.fill(p, b)
	return pb
}

// Release ends the use of what PackBriefly returned.
func (pb *Packed) Release() {
	giveBack(pb.words)
	pb.words = nil
}

// Rows returns K.
func (pb *Packed) Rows() int { return pb.rows }

// Cols returns N.
func (pb *Packed) Cols() int { return pb.cols }

// Bytes returns the memory that pb holds.
func (pb *Packed) Bytes() int { return 4*len(pb.words) + len(pb.bytes) + 4*len(pb.scales) }

// panelCount returns the number of panels side by side.
func (pb *Packed) panelCount() int { return ceil(pb.cols, pb.kernel.nr) }

func (pb *Packed) size() int {
	full, rest := pb.rows/pb.kernel.kc, pb.rows%pb.kernel.kc
	words := full*pb.kernel.words(pb.kernel.kc) + pb.kernel.words(rest)
	return words * pb.panelCount() * pb.kernel.nr
}

// panel returns the packed panel j of the K block that begins at row k0.
func (pb *Packed) panel(k0, j int) []uint32 {
	if pb.pages != nil {
		return pb.pagePanel(k0, j)
	}
	k := pb.kernel
	words := k.words(min(k.kc, pb.rows-k0))
	start := k.words(k0)*pb.panelCount()*k.nr + j*words*k.nr
	return pb.words[start : start+words*k.nr]
}

// step returns how many rows a block of K has.
func (pb *Packed) step() int {
	if pb.byRow {
		return PageLen
	}
	return pb.kernel.kc
}

// stride returns how many words lie between neighbouring panels of a block of K.
func (pb *Packed) stride(words int) int {
	if pb.byRow {
		words = pb.kernel.words(PageLen)
	}
	return words * pb.kernel.nr
}

// ahead returns the distance in words from panel p to the one that will be needed next, or
// next but one where panels are as short as those of pages; 0 if there is none.
func (pb *Packed) ahead(k0, p, words int) int {
	switch {
	case pb.pages == nil:
		return words * pb.kernel.nr
	case pb.byRow && k0+PageLen < pb.rows:
		return distance(pb.panel(k0, p), pb.panel(k0+PageLen, p))
	case !pb.byRow && p+2 < pb.panelCount():
		return distance(pb.panel(k0, p), pb.panel(k0, p+2))
	}
	return 0
}

// distance returns how many words lie between the beginnings of two slices, which may be of
// different memory: it is for fetching only, which never faults.
func distance(from, to []uint32) int {
	return (int(uintptr(unsafe.Pointer(&to[0]))) - int(uintptr(unsafe.Pointer(&from[0])))) / 4
}

// adjacent returns how many panels from p on are neighbours in memory.
func (pb *Packed) adjacent(p int) int {
	n := pb.panelCount() - p
	if per := PageLen / pb.kernel.nr; pb.pages != nil && !pb.byRow {
		return min(n, per-p%per)
	}
	return n
}

// panelsPerPack is how many panels one packing task does: some microseconds of work.
const panelsPerPack = 4

// fill packs b. A single thread does without the closure, which would cost allocations in
// the many small products of attention.
func (pb *Packed) fill(p *tensor.Pool, b Matrix) {
	tasks := ceil(pb.rows, pb.kernel.kc) * pb.groups()
	if p.Threads() == 1 {
		for task := range tasks {
			pb.fillGroup(b, task)
		}
		return
	}
	pb.fillParallel(p, b, tasks)
}

func (pb *Packed) fillParallel(p *tensor.Pool, b Matrix, tasks int) {
	shared := *pb // so that *pb need not be on the heap
	p.For(tasks, func(task, _ int) { shared.fillGroup(b, task) })
}

// groups returns how many packing tasks there are for a block of K.
func (pb *Packed) groups() int { return ceil(pb.panelCount(), panelsPerPack) }

// fillGroup packs a few panels of one block of K.
func (pb *Packed) fillGroup(b Matrix, task int) {
	k := pb.kernel
	k0, first := task/pb.groups()*k.kc, task%pb.groups()*panelsPerPack
	kl := min(k.kc, pb.rows-k0)
	for j := first; j < min(first+panelsPerPack, pb.panelCount()); j++ {
		j0 := j * k.nr
		src := b.sub(k0, j0, kl, min(k.nr, pb.cols-j0))
		k.packB(pb.panel(k0, j), k.nr, k.words(kl), src)
	}
}
