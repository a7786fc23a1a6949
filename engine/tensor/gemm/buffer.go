package gemm

import (
	"math/bits"
	"sync"
	"unsafe"

	"outcrop.dev/outcrop/engine/tensor"
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

// sizeClass returns which of buffers are large enough for n words.
func sizeClass(n int) int { return bits.Len(uint(max(n, 1) - 1)) }

// KeptBytes returns the memory that stays taken, as long as the process lives, after PackBriefly for
// matrices of so many bytes (PackedBytes), one at a time: the largest of each size class.
func KeptBytes(packed []int) (n int) {
	var kept [len(buffers)]int
	for _, bytes := range packed {
		class := &kept[sizeClass(bytes/4)]
		*class = max(*class, bytes)
	}
	for _, bytes := range kept {
		n += bytes
	}
	return n
}

// borrow returns at least n words with any content, aligned to a cache line.
func borrow(n int) []uint32 {
	class := sizeClass(n)
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
	b := &buffers[sizeClass(len(words))]
	b.Lock()
	defer b.Unlock()
	if len(b.free) < keepBuffers {
		b.free = append(b.free, words)
	}
}
