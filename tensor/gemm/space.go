package gemm

import (
	"unsafe"

	"outcrop.dev/outcrop/tensor"
)

// Space is where packed matrices live: in an arena, side by side on huge pages (of the matrices of
// a small model none would fill one alone), or each for itself in Go's heap if it is nil.
type Space struct{ Arena *tensor.Arena }

// take returns n zeroed words that begin on a cache line.
func (s *Space) take(n int) []uint32 {
	if s == nil {
		return aligned(n)
	}
	words := s.Arena.F32(n)
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
