package gemm_test

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// Weights as Hugging Face stores them (out, in) are packed once and multiplied often.
func ExampleMulPacked() {
	pool := tensor.NewPool(2)
	defer pool.Close()
	k := gemm.Best()
	weights := []float32{1, 2, 3, 4, 5, 6} // 2 out, 3 in
	w := gemm.Pack(pool, k, gemm.Matrix{Rows: 3, Cols: 2, Stride: 3, Trans: true, F32: weights})
	x := []float32{1, 1, 1}
	y := make([]float32, 2)
	gemm.MulPacked(pool, k, y, 2, gemm.Matrix{Rows: 1, Cols: 3, Stride: 3, F32: x}, w, false)
	fmt.Println(y)
	// Output: [6 15]
}
