// Package tensor holds what every numeric kernel shares: the bfloat16 type, a pool of
// threads, memory on huge pages, and what this CPU can do.
//
// It knows no model and no matrix: package engine/tensor/gemm multiplies, the packages
// engine/tensor/norm, rope, act, attention, loss and adamw do the rest, and package nn joins
// them. Numbers are float32 in row-major slices; bfloat16 is a storage and
// multiplication format only.
//
//	pool := tensor.NewPool(2)
//	defer pool.Close()
//	pool.For(rows, func(row, worker int) { ... })
package tensor
