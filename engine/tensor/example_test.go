package tensor_test

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor"
)

// Rows are shared out among threads, and each is one worker's.
func ExamplePool() {
	pool := tensor.NewPool(2)
	defer pool.Close()
	squares := make([]int, 5)
	pool.For(len(squares), func(row, _ int) { squares[row] = row * row })
	fmt.Println(squares)
	// Output: [0 1 4 9 16]
}
