package model

import (
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
)

// Dither moves the masters of matrices that are read or saved as bfloat16, and that stand exactly
// on its grid, to random places within their own cells. Not a bit changes of what a bf16 kernel
// computes, nor of what Save writes as bfloat16.
//
// All masters of a model that was saved as bfloat16 stand on the grid. From there no update shows before
// it has passed half a cell, 1/512 of the weight: training at a small rate learns late, and most of
// what it has learnt is rounded away when it is saved. From dithered masters the share of the
// weights that round to the next number is as large as the update, from the first step on.
//
// The same seed moves alike, and moves nothing a second time. Vectors stay, because files and
// products have them as float32; so do zeros, frozen weights and adapters. A float32 kernel computes
// with the moved masters.
func (m *Model) Dither(seed uint64) {
	if m.frozen {
		return
	}
	key := tensor.Mix(seed)
	m.exec.Pool.For(len(m.params), func(i, _ int) {
		if p := m.params[i]; m.rounds(p) {
			tensor.Dither(p.W, tensor.Mix(key+uint64(i)))
		}
	})
}

// rounds tells whether p is read as bfloat16: by the kernel, or from the file that it will be in.
func (m *Model) rounds(p *nn.Param) bool {
	return m.halves(p) || m.exec.Kernel.BF16() && m.weights.multiplies(p)
}
