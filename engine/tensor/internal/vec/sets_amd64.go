//go:build amd64 && linux && !purego

package vec

import "outcrop.dev/outcrop/engine/tensor"

var sets = []*Set{
	{
		Name: "avx512", usable: func(c tensor.CPU) bool { return c.AVX512 },
		Max: max512, ExpSum: expSum512, SumExp: sumExp512, ExpScale: expScale512, Scale: scale512,
		SoftmaxBackward: softmaxBackward512, Dot: dot512, Dot3: dotThree512, SumSquares: sumSquares512,
		SwiGLU: swiGLU512, SwiGLUBackward: swiGLUBackward512,
		GELU: gelu512, GELUBackward: geluBackward512, GELUTanh: geluTanh512, GELUTanhBackward: geluTanhBackward512,
		Norm: norm512, NormBackward: normBackward512, Rotate: rotate512, AdamW: adamW512,
	},
	{
		Name: "avx2", usable: func(c tensor.CPU) bool { return c.AVX2 },
		Max: max256, ExpSum: expSum256, SumExp: sumExp256, ExpScale: expScale256, Scale: scale256,
		SoftmaxBackward: softmaxBackward256, Dot: dot256, Dot3: dotThree256, SumSquares: sumSquares256,
		SwiGLU: swiGLU256, SwiGLUBackward: swiGLUBackward256,
		GELU: gelu256, GELUBackward: geluBackward256, GELUTanh: geluTanh256, GELUTanhBackward: geluTanhBackward256,
		Norm: norm256, NormBackward: normBackward256, Rotate: rotate256, AdamW: adamW256,
	},
}
