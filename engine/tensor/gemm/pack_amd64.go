//go:build amd64 && linux && !purego

package gemm

import (
	"unsafe"

	"outcrop.dev/outcrop/engine/tensor"
)

// The packers in assembly work on whole blocks; what is left over is masked, or goes through
// a small buffer, or through the packers in plain Go.

// transposer packs blocks of lines (of src) x along (elements of a line); the block becomes
// as many rows of words as it has elements, or pairs of them, along a line.
type transposer struct {
	run    func(src unsafe.Pointer, srcBytes int, dst *uint32, dstWords, blocks int, mask uint32)
	lines  int
	along  int
	words  int  // of dst from one group of lines, or one block, to the next
	masked bool // a last block may be shorter
}

var (
	columnsRound = transposer{run: pairRoundTranspose, lines: 32, along: 16, words: 16, masked: true}
	columnsBF16  = transposer{run: pairTranspose, lines: 32, along: 16, words: 16, masked: true}
	panelRound   = transposer{run: transposeRound, lines: 16, along: 32, words: 16, masked: true}
	panelBF16    = transposer{run: transposeWords, lines: 16, along: 32, words: 16}
	words16      = transposer{run: transposeWords, lines: 16, along: 16, words: 16, masked: true}
	words8       = transposer{run: transposeWords8, lines: 8, along: 8, words: 8}
)

const allLanes = 0xffffffff

// lowBits returns a mask of the n lowest bits, n <= 32.
func lowBits(n int) uint32 { return uint32(1<<n - 1) }

// at returns the address of element i of stored line l, and the bytes between lines.
func (m Matrix) at(l, i int) (unsafe.Pointer, int) {
	if m.F32 != nil {
		return unsafe.Pointer(&m.F32[l*m.Stride+i]), 4 * m.Stride
	}
	return unsafe.Pointer(&m.BF16[l*m.Stride+i]), 2 * m.Stride
}

// packABF16 packs rows of A for the bfloat16 kernels.
func packABF16(dst []uint32, aRow, words int, src Matrix) {
	switch {
	case src.Trans && src.BF16 != nil:
		columnsBF16.packColumns(dst, aRow, words, true, src)
	case src.Trans:
		columnsRound.packColumns(dst, aRow, words, true, src)
	case src.BF16 != nil:
		copyRowsBF16(dst, aRow, words, src)
	default:
		roundRows(dst, aRow, src)
	}
}

// packAF32 packs rows of A for the float32 kernels that transpose with t.
func packAF32(t transposer) packAFunc {
	return func(dst []uint32, aRow, words int, src Matrix) {
		switch {
		case src.BF16 != nil:
			packRowsGo(dst, aRow, 1, words, false, src)
		case src.Trans:
			t.packColumns(dst, aRow, words, false, src)
		default:
			copyRowsF32(dst, aRow, words, src)
		}
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

// copyRowsF32 copies the rows of src to rows that are dstRow words apart and words long.
func copyRowsF32(dst []uint32, dstRow, words int, src Matrix) {
	for r := range src.Rows {
		row := floats(dst[r*dstRow:][:words])
		clear(row[copy(row, src.F32[r*src.Stride:][:src.Cols]):])
	}
}

// packColumns packs rows of A that are stored as columns. It writes whole groups of t.along
// rows.
func (t transposer) packColumns(dst []uint32, aRow, words int, bf16 bool, src Matrix) {
	for k, w := 0, 0; k < src.Cols; k, w = k+t.lines, w+t.words {
		s := src.sub(0, k, src.Rows, min(t.lines, src.Cols-k))
		switch {
		case s.Cols == t.lines:
			t.columnBlock(dst[w:], aRow, bf16, s)
		case s.BF16 != nil:
			packRowsGo(dst[w:], aRow, 1, min(t.words, words-w), bf16, s)
		default:
			padded, buf := padLines(s, t.lines)
			t.columnBlock(dst[w:], aRow, bf16, padded)
			giveBack(buf)
		}
	}
}

// columnBlock packs t.lines columns of src.
func (t transposer) columnBlock(dst []uint32, aRow int, bf16 bool, src Matrix) {
	full, rest := src.Rows/t.along, src.Rows%t.along
	from, stride := src.at(0, 0)
	if full > 0 {
		t.run(from, stride, &dst[0], aRow, full, allLanes)
	}
	if rest == 0 {
		return
	}
	first := full * t.along
	if t.masked {
		from, stride = src.at(0, first)
		t.run(from, stride, &dst[first*aRow], aRow, 1, lowBits(rest))
		return
	}
	packRowsGo(dst[first*aRow:], aRow, 1, t.words, bf16, src.sub(first, 0, rest, src.Cols))
}

// padLines copies the columns of src, which is float32 and stored transposed, to a buffer
// and adds columns of zeros up to cols.
func padLines(src Matrix, cols int) (Matrix, []uint32) {
	buf := borrow(cols * src.Rows)
	p := Matrix{Rows: src.Rows, Cols: cols, Stride: src.Rows, Trans: true, F32: floats(buf[:cols*src.Rows])}
	clear(p.F32)
	for k := range src.Cols {
		copy(p.F32[k*p.Stride:], src.F32[k*src.Stride:][:src.Rows])
	}
	return p, buf
}

// packBBF16 packs a panel of B for the bfloat16 kernels.
func packBBF16(dst []uint32, nr, words int, src Matrix) {
	switch {
	case src.Trans && src.BF16 != nil:
		panelBF16.packPanel(dst, nr, words, true, src)
	case src.Trans:
		panelRound.packPanel(dst, nr, words, true, src)
	case src.BF16 != nil:
		packPairs(pairWords, dst, nr, words, src)
	default:
		packPairs(pairRound, dst, nr, words, src)
	}
}

// packBF32 packs a panel of B for the float32 kernels that transpose with t.
func packBF32(t transposer) packBFunc {
	return func(dst []uint32, nr, words int, src Matrix) {
		switch {
		case src.BF16 != nil:
			wide, buf := widen(src)
			packBF32(t)(dst, nr, words, wide)
			giveBack(buf)
		case src.Trans:
			t.packPanel(dst, nr, words, false, src)
		default:
			copyRowsF32(dst, nr, nr, src)
			clear(dst[src.Rows*nr : words*nr])
		}
	}
}

// widen copies src, which is bfloat16, to a buffer of float32.
func widen(src Matrix) (Matrix, []uint32) {
	lines, length := src.Rows, src.Cols
	if src.Trans {
		lines, length = length, lines
	}
	buf := borrow(lines * length)
	w := Matrix{Rows: src.Rows, Cols: src.Cols, Stride: length, Trans: src.Trans, F32: floats(buf[:lines*length])}
	for l := range lines {
		tensor.Float32s(w.F32[l*length:][:length], src.BF16[l*src.Stride:][:length])
	}
	return w, buf
}

// packPairs packs a panel of B that is stored row by row.
func packPairs(run func(unsafe.Pointer, int, *uint32, int, uint32), dst []uint32, nr, words int, src Matrix) {
	pairs := src.Rows / 2
	if pairs > 0 {
		from, stride := src.at(0, 0)
		run(from, stride, &dst[0], pairs, lowBits(src.Cols))
	}
	clear(dst[pairs*nr : words*nr])
	if src.Rows%2 != 0 {
		for j := range src.Cols {
			dst[pairs*nr+j] = src.bits(2*pairs, j)
		}
	}
}

// packPanel packs a panel of B whose columns are stored as lines, t.lines of them at a
// time; a last group of fewer columns is packed in plain Go.
func (t transposer) packPanel(dst []uint32, nr, words int, bf16 bool, src Matrix) {
	j := 0
	for ; j+t.lines <= src.Cols; j += t.lines {
		t.panelGroup(dst[j:], nr, words, bf16, src.sub(0, j, src.Rows, t.lines))
	}
	if j < src.Cols {
		rest := src.sub(0, j, src.Rows, src.Cols-j)
		packRowsGo(dst[j:], 1, nr, words, bf16, rest.transposed())
	}
	for w := 0; w < words && src.Cols < nr; w++ {
		clear(dst[w*nr+src.Cols : (w+1)*nr])
	}
}

// panelGroup packs t.lines columns.
func (t transposer) panelGroup(dst []uint32, nr, words int, bf16 bool, src Matrix) {
	full := src.Rows / t.along
	if full > 0 {
		from, stride := src.at(0, 0)
		t.run(from, stride, &dst[0], nr, full, allLanes)
	}
	if w := full * t.words; w < words {
		t.panelRest(dst[w*nr:], nr, words-w, bf16, src.sub(full*t.along, 0, src.Rows-full*t.along, t.lines))
	}
}

// panelRest packs a last, shorter block, by way of a buffer because the transposer writes
// whole blocks and the panel may end before.
func (t transposer) panelRest(dst []uint32, nr, words int, bf16 bool, src Matrix) {
	block := borrow(t.words * t.lines)
	if t.masked {
		from, stride := src.at(0, 0)
		t.run(from, stride, &block[0], t.lines, 1, lowBits(src.Rows))
	} else {
		packRowsGo(block, 1, t.lines, t.words, bf16, src.transposed())
	}
	for w := range words {
		copy(dst[w*nr:][:t.lines], block[w*t.lines:][:t.lines])
	}
	giveBack(block)
}

// unpackBF16 is unpackGo for the bfloat16 kernels.
func unpackBF16(dst []uint32, src []byte, words int) {
	_, _ = dst[words*int8Cols-1], src[words*2*int8Cols-1]
	unpackInt8(&dst[0], &src[0], words)
}

// scaleAVX512 is scaleGo by way of scaleInt8.
func scaleAVX512(c, sums, scales []float32, accumulate bool) {
	n := len(scales)
	_, _ = c[n-1], sums[n-1]
	scaleInt8(&c[0], &sums[0], &scales[0], n, b2i(accumulate))
}
