package act_test

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor/act"
)

// The gated form of a feed-forward layer: an activated gate times what it lets through.
func ExampleKind_Gated() {
	dst := make([]float32, 2)
	act.SiLU.Gated(dst, []float32{0, 100}, []float32{3, 3})
	fmt.Println(dst)
	// Output: [0 300]
}
