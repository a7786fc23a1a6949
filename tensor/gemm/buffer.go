package gemm

import (
	"math/bits"
	"sync"
	"unsafe"

	"outcrop.dev/outcrop/tensor"
)

// cacheLine is the alignment of packed memory, in bytes.
const cacheLine = 64

// aligned returns n zeroed words that begin on a cache line.
func aligned(n int) []uint32 {
	const extra = cacheLine / 4
	s := make([]uint32, n+extra)
	tensor.AdviseHuge(s)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))&(cacheLine-1)) / 4
	return s[skip : skip+n : skip+n]
}

// keepBuffers is how many buffers of each size are kept for the next call: a multiplication
// borrows one for B and one for each thread.
const keepBuffers = 8

// buffers holds memory that is not in use, by the logarithm of its size.
var buffers [bits.UintSize + 1]struct {
	sync.Mutex
	free [][]uint32
}

// borrow returns at least n words with any content, aligned to a cache line.
func borrow(n int) []uint32 {
	class := bits.Len(uint(max(n, 1) - 1))
	b := &buffers[class]
	b.Lock()
	defer b.Unlock()
	last := len(b.free) - 1
	if last < 0 {
		return aligned(1 << class)
	}
	words := b.free[last]
	b.free = b.free[:last]
	return words
}

// giveBack keeps what borrow returned for the next call.
func giveBack(words []uint32) {
	b := &buffers[bits.Len(uint(len(words)-1))]
	b.Lock()
	defer b.Unlock()
	if len(b.free) < keepBuffers {
		b.free = append(b.free, words)
	}
}
