package act

import "outcrop.dev/outcrop/tensor/internal/vec"

func init() {
	if set := vec.Best(); set != nil {
		kinds[SiLU].gated, kinds[SiLU].gatedBackward = set.SwiGLU, set.SwiGLUBackward
	}
}
