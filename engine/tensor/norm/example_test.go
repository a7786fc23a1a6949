package norm_test

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor/norm"
)

// A row divided by its root mean square, times weights.
func ExampleRMSNorm() {
	y, rstd := make([]float32, 4), make([]float32, 1)
	norm.RMSNorm(y, rstd, []float32{2, -2, 2, -2}, []float32{1, 1, 1, 2}, 0)
	fmt.Println(y, rstd)
	// Output: [1 -1 1 -2] [0.5]
}
