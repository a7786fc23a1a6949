//go:build amd64 && linux && !purego

package gemm

import "unsafe"

// The packers in assembly work on whole blocks of 16 lines; what is left over goes through
// a small buffer or the packers in plain Go.

const (
	lines    = 16 // of a block
	allLanes = 0xffffffff
)

// at returns the address of stored line l, from stored position i on, and the bytes between
// lines.
func (m Matrix) at(l, i int) (unsafe.Pointer, int) {
	if m.F32 != nil {
		return unsafe.Pointer(&m.F32[l*m.Stride+i]), 4 * m.Stride
	}
	return unsafe.Pointer(&m.BF16[l*m.Stride+i]), 2 * m.Stride
}

// lowBits returns a mask of the n lowest bits, n <= 32.
func lowBits(n int) uint32 { return uint32(1<<n - 1) }

// packABF16 packs rows of A for the bfloat16 kernels.
func packABF16(dst []uint32, aRow, words int, src Matrix) {
	switch {
	case src.Trans:
		packColumnsBF16(dst, aRow, src)
	case src.BF16 != nil:
		copyRowsBF16(dst, aRow, words, src)
	default:
		roundRows(dst, aRow, src)
	}
}

// roundRows rounds the rows of src, padded with zeros to a multiple of 32.
func roundRows(dst []uint32, aRow int, src Matrix) {
	full, rest := src.Cols/32, src.Cols%32
	for r := range src.Rows {
		row := src.F32[r*src.Stride:]
		if full > 0 {
			roundRow(&row[0], &dst[r*aRow], full, allLanes)
		}
		if rest > 0 {
			roundRow(&row[full*32], &dst[r*aRow+full*16], 1, lowBits(rest))
		}
	}
}

func copyRowsBF16(dst []uint32, aRow, words int, src Matrix) {
	for r := range src.Rows {
		row := unsafe.Slice((*uint16)(unsafe.Pointer(&dst[r*aRow])), 2*words)
		from := unsafe.Slice((*uint16)(unsafe.Pointer(&src.BF16[r*src.Stride])), src.Cols)
		clear(row[copy(row, from):])
	}
}

// packColumnsBF16 packs rows of A that are stored as columns: 32 lines along K and 16 rows
// at a time. It writes whole groups of 16 rows.
func packColumnsBF16(dst []uint32, aRow int, src Matrix) {
	for k := 0; k < src.Cols; k += 2 * lines {
		s := src.sub(0, k, src.Rows, min(2*lines, src.Cols-k))
		if s.Cols == 2*lines {
			packColumnBlock(dst[k/2:], aRow, s)
			continue
		}
		padded, buf := padLines(s, 2*lines)
		packColumnBlock(dst[k/2:], aRow, padded)
		giveBack(buf)
	}
}

// packColumnBlock packs 32 stored lines.
func packColumnBlock(dst []uint32, aRow int, src Matrix) {
	kernel := pairRoundTranspose
	if src.BF16 != nil {
		kernel = pairTranspose
	}
	full, rest := src.Rows/lines, src.Rows%lines
	if full > 0 {
		from, stride := src.at(0, 0)
		kernel(from, stride, &dst[0], aRow, full, allLanes)
	}
	if rest > 0 {
		from, stride := src.at(0, full*lines)
		kernel(from, stride, &dst[full*lines*aRow], aRow, 1, lowBits(rest))
	}
}

// padLines copies the columns of a transposed src to a buffer and adds columns of zeros up
// to cols.
func padLines(src Matrix, cols int) (Matrix, []uint32) {
	buf := borrow(cols * src.Rows)
	p := Matrix{Rows: src.Rows, Cols: cols, Stride: src.Rows, Trans: true, F32: floats(buf[:cols*src.Rows])}
	for k := range cols {
		line := p.F32[k*p.Stride:][:src.Rows]
		for i := range line {
			line[i] = 0
			if k < src.Cols {
				line[i] = src.At(i, k)
			}
		}
	}
	return p, buf
}

// packBBF16 packs a panel of B for the bfloat16 kernels.
func packBBF16(dst []uint32, nr, words int, src Matrix) {
	if src.Trans {
		packPanelColumns(dst, nr, words, src, true)
		return
	}
	kernel := pairRound
	if src.BF16 != nil {
		kernel = pairWords
	}
	pairs := src.Rows / 2
	if pairs > 0 {
		from, stride := src.at(0, 0)
		kernel(from, stride, &dst[0], pairs, lowBits(src.Cols))
	}
	clear(dst[pairs*nr : words*nr])
	if src.Rows%2 != 0 {
		for j := range src.Cols {
			dst[pairs*nr+j] = src.bits(2*pairs, j)
		}
	}
}

// packPanelColumns packs a panel of B whose columns are stored as lines, 16 columns at a
// time; a last group of fewer columns is packed in plain Go. src is float32, or the kernel
// is a bfloat16 one.
func packPanelColumns(dst []uint32, nr, words int, src Matrix, bf16 bool) {
	j := 0
	for ; j+lines <= src.Cols; j += lines {
		packPanelGroup(dst[j:], nr, words, src.sub(0, j, src.Rows, lines), bf16)
	}
	if j < src.Cols {
		rest := src.sub(0, j, src.Rows, src.Cols-j)
		packRowsGo(dst[j:], 1, nr, words, bf16, rest.transposed())
	}
	for w := 0; w < words && src.Cols < nr; w++ {
		clear(dst[w*nr+src.Cols : (w+1)*nr])
	}
}

// packPanelGroup packs 16 columns: 16 words of each at a time, the last block by way of a
// buffer because it may be longer than the panel.
func packPanelGroup(dst []uint32, nr, words int, src Matrix, bf16 bool) {
	kernel, step := transposeWords, lines
	if bf16 {
		step = 2 * lines
		if src.F32 != nil {
			kernel = transposeRound
		}
	}
	full, rest := src.Rows/step, src.Rows%step
	if full > 0 {
		from, stride := src.at(0, 0)
		kernel(from, stride, &dst[0], nr, full, allLanes)
	}
	var block [lines * lines]uint32
	switch {
	case rest > 0 && src.F32 != nil:
		from, stride := src.at(0, full*step)
		kernel(from, stride, &block[0], lines, 1, lowBits(rest))
	case rest > 0:
		packRowsGo(block[:], 1, lines, lines, bf16, src.sub(full*step, 0, rest, lines).transposed())
	}
	for i, w := 0, full*lines; w < words; i, w = i+1, w+1 {
		copy(dst[w*nr:][:lines], block[i*lines:][:lines])
	}
}
