package nn_test

import (
	"fmt"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// A norm of four channels, on one thread.
func ExampleNorm() {
	pool := tensor.NewPool(1)
	defer pool.Close()
	exec := nn.Exec{Pool: pool, Kernel: gemm.Best()}

	alloc := func(n int) []float32 { return make([]float32, n) }
	w := nn.NewVector("norm.weight", 4)
	w.W = []float32{1, 1, 1, 2}
	norm := nn.NewNorm(nn.Affine{W: w}, nn.NormShape{Kind: nn.RMSNorm}, 1, 1, alloc(nn.PartLen(1, 4)), alloc)
	y := alloc(4)
	norm.Forward(exec, y, []float32{2, -2, 2, -2}, 1)
	fmt.Println(y)
	// Output: [1 -1 1 -2]
}
