package gemm

import (
	"unsafe"

	"outcrop.dev/outcrop/engine/tensor"
)

// registry lists all kernels, those best for cpu first.
func registry(cpu tensor.CPU) []*Kernel {
	return append(assemblyKernels(cpu), refF32, refBF16)
}

var (
	refF32  = refKernel("ref-f32", false, refTileF32)
	refBF16 = refKernel("ref-bf16", true, refTileBF16)
)

// floats returns words as float32.
func floats(w []uint32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(w))), len(w))
}
