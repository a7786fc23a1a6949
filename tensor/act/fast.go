package act

import "outcrop.dev/outcrop/tensor/internal/vec"

func init() {
	if set := vec.Best(); set != nil {
		swiGLU, swiGLUBackward = set.SwiGLU, set.SwiGLUBackward
	}
}
