package adamw

import "outcrop.dev/outcrop/engine/tensor/internal/vec"

// fast is ref.go by way of the assembly loops, for the instruction set it holds.
type fast struct{ *vec.Set }

func init() {
	if set := vec.Best(); set != nil {
		step, sumSquares = fast{set}.step, set.SumSquares
	}
}

func (f fast) step(w, g, m, v []float32, h Hyper) {
	f.AdamW(w, g, m, v, h.GradScale, h.Beta1, 1-h.Beta1, h.Beta2, 1-h.Beta2, 1-h.LR*h.WeightDecay, h.LR*h.C1, h.C2, h.Eps)
}
