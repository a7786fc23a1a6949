package nn

import (
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// rowBlock is the number of rows that one task of a row-wise layer takes. It is fixed, so
// that sums over rows do not depend on the number of threads.
const rowBlock = 64

// Exec is what layers run on.
type Exec struct {
	Pool   *tensor.Pool
	Kernel *gemm.Kernel
	// Int8 has serving keep its matrices in eight bits (gemm.PackInt8).
	Int8 bool
	// Adapt, if not nil, is called after each product with packed weights w, y (N,out) from x
	// (N,in), for the adapters that rows of a pass carry in serving.
	Adapt func(e Exec, y, x []float32, w *Param)
}

// rows calls f for consecutive blocks of at most rowBlock of n rows.
func (e Exec) rows(n int, f func(block, from, to int)) {
	e.Pool.For((n+rowBlock-1)/rowBlock, func(b, _ int) { f(b, b*rowBlock, min(n, (b+1)*rowBlock)) })
}

// Alloc provides zeroed float32 memory that lives as long as the model.
type Alloc func(n int) []float32

func matrix(x []float32, rows, cols int) gemm.Matrix {
	return gemm.Matrix{Rows: rows, Cols: cols, Stride: cols, F32: x}
}

func transposed(m gemm.Matrix) gemm.Matrix {
	m.Rows, m.Cols, m.Trans = m.Cols, m.Rows, !m.Trans
	return m
}
