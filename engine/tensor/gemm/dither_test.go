package gemm

import (
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
)

// TestDitheredProducts: a kernel that rounds to bfloat16 sees no difference between numbers and the
// same dithered, of all there are, on either side of a product and stored either way.
func TestDitheredProducts(t *testing.T) {
	t.Parallel()
	const n = 256 // n·n are all bit patterns
	w, unit := make([]float32, n*n), make([]float32, n*n)
	for i := range w {
		if b := tensor.BF16(i); b&0x7f80 != 0x7f80 { // finite
			w[i] = b.Float32()
		}
	}
	for i := range n {
		unit[i*n+i] = 1
	}
	moved := slices.Clone(w)
	tensor.Dither(moved, 1)
	for _, k := range Kernels() {
		for _, trans := range []bool{false, true} {
			product := func(a, b []float32) []float32 {
				c := make([]float32, n*n)
				Mul(nil, k, c, n, Matrix{Rows: n, Cols: n, Stride: n, Trans: trans, F32: a}, Matrix{Rows: n, Cols: n, Stride: n, Trans: trans, F32: b}, false)
				return c
			}
			left := slices.Equal(product(w, unit), product(moved, unit))
			right := slices.Equal(product(unit, w), product(unit, moved))
			if left != k.BF16() || right != k.BF16() {
				t.Errorf("%s, transposed %v: the same product on the left %v, on the right %v", k.Name(), trans, left, right)
			}
		}
	}
}
