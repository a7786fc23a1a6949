package loss

import (
	"math"
	"slices"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
)

// fast is ref.go by way of the assembly loops, for the instruction set it holds.
type fast struct{ *vec.Set }

func init() {
	if set := vec.Best(); set != nil {
		f := fast{set}
		logSumExp, softmax = f.logSumExp, f.softmax
	}
}

// sumLen is how many exponentials are added up in float32: of a vocabulary of 262,144 all at once
// would be off by up to 2e-4 where most are alike.
const sumLen = 4096

func (f fast) logSumExp(x []float32) (top float32, rest float64) {
	top = f.Max(x)
	var sum float64
	for part := range slices.Chunk(x, sumLen) {
		sum += float64(f.SumExp(part, -top))
	}
	return top, math.Log(sum)
}

func (f fast) softmax(x []float32, lse, scale float32) { f.ExpScale(x, -lse, scale) }
