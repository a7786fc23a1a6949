package attention

import (
	"math"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
)

// fast is ref.go by way of the assembly loops, for the instruction set it holds.
type fast struct{ *vec.Set }

func init() {
	if set := vec.Best(); set != nil {
		f := fast{set}
		softmaxRow, softmaxBackwardRow, dot = f.softmaxRow, f.softmaxBackwardRow, f.Dot
	}
}

func (f fast) softmaxRow(s []float32, visible int, scale float32) float32 {
	row := s[:visible]
	top := scale * f.Max(row)
	sum := f.ExpSum(row, scale, -top)
	f.Scale(row, 1/sum)
	clear(s[visible:])
	return top + float32(math.Log(float64(sum)))
}

func (f fast) softmaxBackwardRow(s, dp []float32, visible int, scale, lse, delta float32) {
	f.SoftmaxBackward(s[:visible], dp[:visible], scale, lse, delta)
	clear(s[visible:])
	clear(dp[visible:])
}
