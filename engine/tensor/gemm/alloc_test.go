package gemm

import "testing"

// TestSmallProductsDoNotAllocate: attention multiplies thousands of small matrices a step.
func TestSmallProductsDoNotAllocate(t *testing.T) {
	a, b, c := make([]float32, 64*64), make([]float32, 64*64), make([]float32, 64*64)
	m := Matrix{Rows: 64, Cols: 64, Stride: 64}
	for _, k := range Kernels() {
		x, y := m, m
		x.F32, y.F32 = a, b
		Mul(nil, k, c, 64, x, y, false)
		if n := testing.AllocsPerRun(10, func() { Mul(nil, k, c, 64, x, y, false) }); n > 0 {
			t.Errorf("%s: %g allocations", k.Name(), n)
		}
	}
}
