package loss

import (
	"math"
	"slices"
)

// logSumExpRef returns log Σ exp(x[i]) as the largest element and the rest; x must not be empty.
func logSumExpRef(x []float32) (top float32, rest float64) {
	top = slices.Max(x)
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v - top))
	}
	return top, math.Log(sum)
}

// softmaxRef sets x[i] = scale·exp(x[i] − lse).
func softmaxRef(x []float32, lse, scale float32) {
	for i, v := range x {
		x[i] = scale * float32(math.Exp(float64(v-lse)))
	}
}
