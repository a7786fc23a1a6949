package gemm

import "math"

// The packers in plain Go: the definition of the packed layouts, and what the assembly
// packers fall back to at the edges.

func packAGo(bf16 bool) packAFunc {
	return func(dst []uint32, aRow, words int, src Matrix) {
		packRowsGo(dst, aRow, 1, words, bf16, src)
	}
}

func packBGo(bf16 bool) packBFunc {
	return func(dst []uint32, nr, words int, src Matrix) {
		packRowsGo(dst, 1, nr, words, bf16, src.transposed())
		for j := src.Cols; j < nr; j++ {
			for k := range words {
				dst[k*nr+j] = 0
			}
		}
	}
}

// packRowsGo writes word k of row r of src to dst[r*rowStep+k*wordStep].
func packRowsGo(dst []uint32, rowStep, wordStep, words int, bf16 bool, src Matrix) {
	for r := range src.Rows {
		for w := range words {
			dst[r*rowStep+w*wordStep] = src.word(r, w, bf16)
		}
	}
}

// word returns packed word w of row r; beyond the last column there are zeros.
func (m Matrix) word(r, w int, bf16 bool) uint32 {
	if !bf16 {
		if w >= m.Cols {
			return 0
		}
		return math.Float32bits(m.At(r, w))
	}
	var v uint32
	if 2*w < m.Cols {
		v = m.bits(r, 2*w)
	}
	if 2*w+1 < m.Cols {
		v |= m.bits(r, 2*w+1) << 16
	}
	return v
}
