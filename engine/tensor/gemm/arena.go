package gemm

import (
	"unsafe"

	"outcrop.dev/outcrop/engine/tensor"
)

// take returns n zeroed words of the arena that begin on a cache line, of Go's heap if it is nil.
func take(arena *tensor.Arena, n int) []uint32 {
	if arena == nil {
		return aligned(n)
	}
	words := arena.F32(n)
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

// PackedBytes returns the memory that a matrix of rows x cols takes when it is packed for k,
// in eight bits or as the kernel has it.
func PackedBytes(k *Kernel, rows, cols int, int8 bool) int {
	pb := Packed{kernel: k, rows: rows, cols: cols}
	if int8 {
		panels := ceil(cols, int8Cols)
		return roundUp(panels*pb.int8Panel(), cacheLine) + 4*int8Cols*panels // and the scales
	}
	return roundUp(4*pb.size(), cacheLine)
}
