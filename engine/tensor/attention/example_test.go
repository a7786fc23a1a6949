package attention_test

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor/attention"
)

// Scores of a query become weights; what it must not see weighs nothing.
func ExampleSoftmaxRow() {
	scores := []float32{1, 1, 9}
	attention.SoftmaxRow(scores, 2, 1)
	fmt.Println(scores)
	// Output: [0.5 0.5 0]
}
