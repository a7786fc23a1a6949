package gemm

import (
	"sync"
	"unsafe"

	"outcrop.dev/outcrop/tensor"
)

// hugePage is the size of a huge page on amd64.
const hugePage = 2 << 20

// Space is memory for packed matrices that live together, side by side on huge pages: of
// the matrices of a small model none would fill one alone. The garbage collector frees it
// when the last of them has gone. It may be used from several goroutines.
type Space struct {
	mu   sync.Mutex
	free []uint32
}

// NewSpace returns space for matrices that Pack to so many bytes; those that do not fit in
// any more get memory of their own.
func NewSpace(bytes int) *Space {
	words := make([]uint32, (bytes+hugePage)/4)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(words)))&(hugePage-1)) / 4
	s := &Space{free: words[min(skip, len(words)):]}
	tensor.AdviseHuge(s.free)
	return s
}

// take returns n zeroed words that begin on a cache line.
func (s *Space) take(n int) []uint32 {
	if s == nil {
		return aligned(n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	room := roundUp(n, cacheLine/4)
	if room > len(s.free) {
		return aligned(n)
	}
	words := s.free[:n:n]
	s.free = s.free[room:]
	return words
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
