package gemm

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor"
)

// Matrix is a view of Rows x Cols numbers. Element (i, j) is at i*Stride+j, or at
// j*Stride+i when Trans says that it is stored transposed. Exactly one of F32 and BF16 is
// set, unless the matrix is empty.
type Matrix struct {
	Rows, Cols, Stride int
	Trans              bool
	F32                []float32
	BF16               []tensor.BF16
}

// At returns element (i, j).
func (m Matrix) At(i, j int) float32 {
	at := m.index(i, j)
	if m.F32 != nil {
		return m.F32[at]
	}
	return m.BF16[at].Float32()
}

func (m Matrix) index(i, j int) int {
	if m.Trans {
		return j*m.Stride + i
	}
	return i*m.Stride + j
}

// bits returns element (i, j) rounded to bfloat16.
func (m Matrix) bits(i, j int) uint32 {
	at := m.index(i, j)
	if m.F32 != nil {
		return uint32(tensor.ToBF16(m.F32[at]))
	}
	return uint32(m.BF16[at])
}

// sub returns the view of rows x cols elements that begins at (i, j).
func (m Matrix) sub(i, j, rows, cols int) Matrix {
	at := m.index(i, j)
	s := Matrix{Rows: rows, Cols: cols, Stride: m.Stride, Trans: m.Trans}
	if m.F32 != nil {
		s.F32 = m.F32[at:]
	} else {
		s.BF16 = m.BF16[at:]
	}
	return s
}

// transposed returns the view of the transpose.
func (m Matrix) transposed() Matrix {
	m.Rows, m.Cols, m.Trans = m.Cols, m.Rows, !m.Trans
	return m
}

// check panics when the slice is too short for the shape: a caller's bug that assembly
// would turn into a stray read.
func (m Matrix) check(name string) {
	lines, length := m.Rows, m.Cols
	if m.Trans {
		lines, length = length, lines
	}
	if m.Rows < 0 || m.Cols < 0 || m.Stride < length && lines > 1 {
		panic(fmt.Sprintf("gemm: %s is %dx%d with stride %d", name, m.Rows, m.Cols, m.Stride))
	}
	if lines == 0 || length == 0 {
		return
	}
	if (m.F32 != nil) == (m.BF16 != nil) {
		panic(fmt.Sprintf("gemm: %s must have exactly one of F32 and BF16", name))
	}
	if need := (lines-1)*m.Stride + length; max(len(m.F32), len(m.BF16)) < need {
		panic(fmt.Sprintf("gemm: %s of %dx%d needs %d elements and has %d", name, m.Rows, m.Cols, need, max(len(m.F32), len(m.BF16))))
	}
}
