package loss_test

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor/loss"
)

// A model that knows nothing loses the logarithm of its vocabulary.
func ExampleRow() {
	l, _ := loss.Row(make([]float32, 8), 3)
	fmt.Printf("%.4f\n", l)
	// Output: 2.0794
}
