package rope_test

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor/rope"
)

// A head of two channels at position 1 turns by its one frequency, a radian.
func ExampleRotate() {
	table := rope.NewTable(2, rope.Frequencies(2, 10000), 1)
	x := []float32{1, 0}
	cos, sin := table.At(1)
	rope.Rotate(x, cos, sin)
	fmt.Printf("%.4f\n", x)
	// Output: [0.5403 0.8415]
}
