package gemm

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor"
)

// PageLen is how many lines a page of a Paged holds: a multiple of the width of every
// kernel's panels and of the unit along K to which it pads. Sums go on from page to page
// (the micro-kernels add to what is there), so where pages begin changes no bit.
const PageLen = 64

// Paged is a matrix B that grows by lines, which are its columns or its rows, in pages of
// PageLen lines that are packed as they are filled: the keys and values of a document.
// Copies of the slice of pages share them.
type Paged struct {
	Kernel  *Kernel
	Width   int  // of a line
	Columns bool // the lines are columns; else rows
	Pages   [][]uint32
}

// PageWords returns the length of each page.
func (b *Paged) PageWords() int {
	k := b.Kernel
	if !b.Columns {
		return k.words(PageLen) * roundUp(b.Width, k.nr)
	}
	return (b.Width/k.kc*k.words(k.kc) + k.words(b.Width%k.kc)) * PageLen
}

// NewPage returns memory for a page of n words, zeroed.
func NewPage(n int) []uint32 { return aligned(n) }

// Put sets the lines from at on to those of src (lines, Width), rounded as the kernel does.
// The pages must be there. Lines of a page must be put in order: those behind the last are
// zero. Panics if src is not Width wide.
func (b *Paged) Put(at int, src Matrix) {
	src.check("the lines")
	if src.Cols != b.Width {
		panic(fmt.Sprintf("gemm: lines of %d put into pages of %d", src.Cols, b.Width))
	}
	for done := 0; done < src.Rows; {
		i := (at + done) % PageLen
		n := min(PageLen-i, src.Rows-done)
		lines := src.sub(done, 0, n, b.Width)
		if b.Columns {
			b.putColumns(b.Pages[(at+done)/PageLen], i, lines)
		} else {
			b.putRows(b.Pages[(at+done)/PageLen], i, lines)
		}
		done += n
	}
}

// putColumns packs lines as the columns of page from i on: whole panels at once where a
// panel begins with them, else number by number.
func (b *Paged) putColumns(page []uint32, i int, lines Matrix) {
	k := b.Kernel
	for k0 := 0; k0 < b.Width; k0 += k.kc {
		kl := min(k.kc, b.Width-k0)
		words := k.words(kl)
		for done := 0; done < lines.Rows; {
			j := i + done
			n := min(k.nr-j%k.nr, lines.Rows-done)
			panel := page[k.words(k0)*PageLen+j/k.nr*words*k.nr:][:words*k.nr]
			part := lines.sub(done, k0, n, kl)
			switch {
			case j%k.nr == 0 && n > 1:
				k.packB(panel, k.nr, words, part.transposed())
			case n == 1 && k.bf16 && part.F32 != nil && !part.Trans:
				putColumn(panel[j%k.nr:], k.nr, part.F32[:kl])
			default:
				packRowsGo(panel[j%k.nr:], 1, k.nr, words, k.bf16, part)
			}
			done += n
		}
	}
}

// putColumn is packRowsGo of one row of float32 for the bfloat16 kernels: what every token of
// every session puts into every layer. What pads the column is zero already.
func putColumn(panel []uint32, nr int, x []float32) {
	for w := range len(x) / 2 {
		panel[w*nr] = uint32(tensor.ToBF16(x[2*w])) | uint32(tensor.ToBF16(x[2*w+1]))<<16
	}
	if n := len(x); n%2 != 0 {
		panel[n/2*nr] = uint32(tensor.ToBF16(x[n-1]))
	}
}

// putRows packs lines as the rows of page from i on: whole panels at once where the page
// begins with them, else number by number.
func (b *Paged) putRows(page []uint32, i int, lines Matrix) {
	k := b.Kernel
	for j := 0; j < b.Width; j += k.nr {
		panel := page[j*k.words(PageLen):][:k.words(PageLen)*k.nr]
		part := lines.sub(0, j, lines.Rows, min(k.nr, b.Width-j))
		if i == 0 {
			k.packB(panel, k.nr, k.words(lines.Rows), part)
			continue
		}
		for r := range part.Rows {
			putRow(panel, k, i+r, part.sub(r, 0, 1, part.Cols))
		}
	}
}

// putRow sets row i of a panel.
func putRow(panel []uint32, k *Kernel, i int, row Matrix) {
	if !k.bf16 {
		for j := range row.Cols {
			panel[i*k.nr+j] = row.word(0, j, false)
		}
		return
	}
	words := panel[i/2*k.nr:][:row.Cols]
	value := func(j int) uint32 { return row.bits(0, j) }
	if row.F32 != nil && !row.Trans {
		x := row.F32[:row.Cols]
		value = func(j int) uint32 { return uint32(tensor.ToBF16(x[j])) }
	}
	for j := range words {
		if i%2 == 0 {
			words[j] = value(j)
		} else {
			words[j] |= value(j) << 16
		}
	}
}

// Clear sets the lines of the page from line i on to zero: what was put there may be put
// again.
func (b *Paged) Clear(page []uint32, i int) {
	if b.Columns {
		return // nothing is added up across columns
	}
	k := b.Kernel
	for j := 0; j < b.Width; j += k.nr {
		panel := page[j*k.words(PageLen):][:k.words(PageLen)*k.nr]
		first := i
		if k.bf16 {
			if first = (i + 1) / 2; i%2 != 0 {
				for w := range k.nr {
					panel[i/2*k.nr+w] &= 0xffff
				}
			}
		}
		clear(panel[first*k.nr:])
	}
}

// MulPaged sets C = A·B for the n lines of b from line first on, a multiple of PageLen: with
// Columns, C is (M,n) and A (M,Width); else C is (M,Width) and A (M,n). It runs in the
// caller alone. The result has the bits of Mul with the same numbers (TestPaged). Panics if
// shapes disagree or pages are missing.
func MulPaged(c []float32, ldc int, a Matrix, b *Paged, first, n int) {
	if first%PageLen != 0 {
		panic("gemm: the first line must begin a page")
	}
	pb := Packed{kernel: b.Kernel, rows: b.Width, cols: n, pages: b.Pages[first/PageLen : ceil(first+n, PageLen)]}
	if !b.Columns {
		pb.rows, pb.cols, pb.byRow = n, b.Width, true
	}
	checkMul(c, ldc, a, &pb)
	if a.Rows > 0 && pb.cols > 0 {
		mul(nil, c, ldc, a, &pb, false)
	}
}

// pagePanel is panel where the matrix is in pages.
func (pb *Packed) pagePanel(k0, j int) []uint32 {
	k := pb.kernel
	if pb.byRow {
		return pb.pages[k0/PageLen][j*k.words(PageLen)*k.nr:][:k.words(min(PageLen, pb.rows-k0))*k.nr]
	}
	per, words := PageLen/k.nr, k.words(min(k.kc, pb.rows-k0))
	return pb.pages[j/per][k.words(k0)*PageLen+j%per*words*k.nr:][:words*k.nr]
}
