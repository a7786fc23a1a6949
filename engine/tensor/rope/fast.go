package rope

import "outcrop.dev/outcrop/engine/tensor/internal/vec"

// fast is ref.go by way of the assembly loops, for the instruction set it holds.
type fast struct{ *vec.Set }

func init() {
	if set := vec.Best(); set != nil {
		rotate = fast{set}.rotate
	}
}

func (f fast) rotate(x, cos, sin []float32, sign float32) {
	half := len(cos)
	for ; len(x) > 0; x = x[2*half:] {
		f.Rotate(x[:half], x[half:2*half], cos, sin, sign)
	}
}
