package model

import (
	"slices"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/format/safetensors"
)

// A family's files may have a matrix as (in,out), or its rows in another order. What is
// read is brought into the order of nn.Param, and brought back when it is written.

// rowLen returns the length of a row: 1 for a vector, whose elements are its rows.
func rowLen(p *nn.Param) int {
	if p.Vector {
		return 1
	}
	return p.Cols
}

// fileShape returns the shape of a tensor in the file that is so many rows of p.
func fileShape(p *nn.Param, rows int) []int {
	switch {
	case p.Vector:
		return []int{rows}
	case p.Transposed:
		return []int{p.Cols, rows}
	}
	return []int{rows, p.Cols}
}

// fromFile brings w, a tensor of p as the file has it, into p's order, in place.
func fromFile[T any](p *nn.Param, w []T) {
	c := rowLen(p)
	if p.Transposed {
		transpose(w, slices.Clone(w), c, len(w)/c)
	}
	if p.Order != nil {
		file := slices.Clone(w)
		for r := range len(w) / c {
			at := p.Order(r)
			copy(w[r*c:(r+1)*c], file[at*c:(at+1)*c])
		}
	}
}

// toFile returns w, rows of p, as the file has them: w itself where that is the same.
func toFile(p *nn.Param, w []float32) []float32 {
	c := rowLen(p)
	if p.Order != nil {
		file := make([]float32, len(w))
		for r := range len(w) / c {
			at := p.Order(r)
			copy(file[at*c:(at+1)*c], w[r*c:(r+1)*c])
		}
		w = file
	}
	if p.Transposed {
		file := make([]float32, len(w))
		transpose(file, w, len(w)/c, c)
		w = file
	}
	return w
}

// transpose sets dst (cols,rows) to the transpose of src (rows,cols).
func transpose[T any](dst, src []T, rows, cols int) {
	for i := range rows {
		for j, v := range src[i*cols : (i+1)*cols] {
			dst[j*rows+i] = v
		}
	}
}

// fileTensors returns values of p, weights or gradients, as the tensors of a file.
func fileTensors(p *nn.Param, values []float32) []safetensors.Tensor {
	ts := tensorsOf(p)
	for i := range ts {
		n := elements(ts[i].Shape)
		ts[i].DType, ts[i].Data = safetensors.F32, toFile(p, values[:n])
		values = values[n:]
	}
	return ts
}
