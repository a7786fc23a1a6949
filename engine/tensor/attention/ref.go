package attention

import (
	"math"
	"slices"
)

// softmaxRowRef is the definition of SoftmaxRow.
func softmaxRowRef(s []float32, visible int, scale float32) float32 {
	row := s[:visible]
	top := scale * slices.Max(row)
	var sum float32
	for j, v := range row {
		e := float32(math.Exp(float64(scale*v - top)))
		row[j] = e
		sum += e
	}
	inv := 1 / sum
	for j := range row {
		row[j] *= inv
	}
	clear(s[visible:])
	return top + float32(math.Log(float64(sum)))
}

// softmaxBackwardRowRef is the definition of SoftmaxBackwardRow.
func softmaxBackwardRowRef(s, dp []float32, visible int, scale, lse, delta float32) {
	for j := range visible {
		p := float32(math.Exp(float64(scale*s[j] - lse)))
		s[j] = p
		dp[j] = scale * p * (dp[j] - delta) // p = softmax(scale·s): ∂p_i/∂s_j = scale·p_i·([i=j] − p_j)
	}
	clear(s[visible:])
	clear(dp[visible:])
}

// dotRef is the definition of Dot.
func dotRef(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}
