package train

import "math/rand/v2"

// Shuffle returns the order of n examples in an epoch: a permutation of 0…n−1 that depends
// on seed and epoch only (Fisher and Yates, with PCG keyed by both). It reuses order's memory.
func Shuffle(order []int32, n int, seed, epoch uint64) []int32 {
	order = order[:0]
	for i := range n {
		order = append(order, int32(i))
	}
	r := rand.New(rand.NewPCG(seed, epoch))
	r.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}
