package adamw_test

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor/adamw"
)

// The first step goes by the learning rate against the gradient, whatever its size.
func ExampleStep() {
	w, g := []float32{1, 1}, []float32{0.5, -8}
	m, v := make([]float32, 2), make([]float32, 2)
	h := adamw.Hyper{LR: 0.25, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 1}
	adamw.Step(w, g, m, v, h.At(1))
	fmt.Printf("%.3f\n", w)
	// Output: [0.750 1.250]
}
