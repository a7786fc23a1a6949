package loss

import (
	"math"

	"outcrop.dev/outcrop/tensor/internal/vec"
)

// fast is ref.go by way of the assembly loops, for the instruction set it holds.
type fast struct{ *vec.Set }

func init() {
	if set := vec.Best(); set != nil {
		f := fast{set}
		logSumExp, softmax = f.logSumExp, f.softmax
	}
}

func (f fast) logSumExp(x []float32) (top float32, rest float64) {
	top = f.Max(x)
	return top, math.Log(float64(f.SumExp(x, -top)))
}

func (f fast) softmax(x []float32, lse, scale float32) { f.ExpScale(x, -lse, scale) }
