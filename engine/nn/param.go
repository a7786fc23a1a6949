package nn

import (
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// Param is one tensor: a matrix (Rows,Cols), or a vector, whose Rows is 1. Matrices
// decay, vectors (the weights of norms) do not.
type Param struct {
	Name       string
	Rows, Cols int
	Vector     bool
	W          []float32 // master weights
	G          []float32 // gradient of the loss; nil where nothing is trained
	// Half is a frozen matrix as a bfloat16 file holds it, in place of W.
	Half []tensor.BF16
	// Packed is a frozen matrix packed for the kernel, in place of W: for serving.
	Packed *gemm.Packed
	// Adapter is added to the products with this matrix; nil for none.
	Adapter *Adapter
	// Start is what the elements of a vector are before any training.
	Start float32
	// Parts are the tensors of the file that are stacked, row by row, in this one; nil means
	// one tensor of the same name.
	Parts []Part
	// Transposed tells that the file has a matrix as (in,out).
	Transposed bool
	// Order returns where the file has row r, or element r of a vector; nil means the same
	// order.
	Order func(r int) int
}

// Part names Rows rows of a Param, or elements of a vector.
type Part struct {
	Name string
	Rows int
}

// NewVector returns a vector of n weights without memory, which begin at 1.
func NewVector(name string, n int) *Param {
	return &Param{Name: name, Rows: 1, Cols: n, Vector: true, Start: 1}
}

// NewBias returns a vector of n weights without memory, which begin at 0.
func NewBias(name string, n int, parts ...Part) *Param {
	return &Param{Name: name, Rows: 1, Cols: n, Vector: true, Parts: parts}
}

// NewParam returns a matrix without memory.
func NewParam(name string, rows, cols int, parts ...Part) *Param {
	return &Param{Name: name, Rows: rows, Cols: cols, Parts: parts}
}

// Len returns the number of weights.
func (p *Param) Len() int { return p.Rows * p.Cols }

// Float32 sets dst (Len) to the weights, wherever they are.
func (p *Param) Float32(dst []float32) {
	if p.Half != nil {
		tensor.Float32s(dst, p.Half)
		return
	}
	copy(dst, p.W)
}

// Set sets weight i to v, rounded if a frozen matrix is kept so.
func (p *Param) Set(i int, v float32) {
	if p.Half != nil {
		p.Half[i] = tensor.ToBF16(v)
		return
	}
	p.W[i] = v
}

// matrix returns the weights as a factor of a product.
func (p *Param) matrix() gemm.Matrix {
	return gemm.Matrix{Rows: p.Rows, Cols: p.Cols, Stride: p.Cols, F32: p.W, BF16: p.Half}
}

// rows returns rows at to at+n, which have no memory where p has none.
func (p *Param) rows(at, n int) gemm.Matrix {
	m := gemm.Matrix{Rows: n, Cols: p.Cols, Stride: p.Cols}
	if p.W != nil {
		m.F32 = p.W[at*p.Cols : (at+n)*p.Cols]
	}
	return m
}
