//go:build linux

package tensor

import (
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// hugePage is the size of a huge page on amd64 and of most on arm64.
	hugePage = 2 << 20
	// ArenaAlign is where slices of an arena begin: a cache line and a ZMM register.
	ArenaAlign = 64
	// arenaMaxBytes is more than any machine has; it keeps the arithmetic below from overflowing.
	arenaMaxBytes = 1 << 46
)

// Arena is memory outside the Go heap, on huge pages where the kernel grants them: large
// buffers there cost the garbage collector nothing, and reading them costs fewer TLB
// misses. Slices of an arena are zeroed and aligned to 64 bytes, and must not be used after
// Close. An Arena may be used from several goroutines.
type Arena struct {
	mu    sync.Mutex
	maps  [][]byte
	free  []byte // the rest of the last chunk
	chunk int
}

// NewArena reserves bytes of memory; pages are taken when they are touched. The arena grows
// by further chunks when more is asked of it. Errors: the size is negative or absurd, or
// the kernel refuses the mapping.
func NewArena(bytes int) (*Arena, error) {
	if bytes < 0 || bytes > arenaMaxBytes {
		return nil, fmt.Errorf("arena of %d bytes: the size must be within 0 and %d", bytes, arenaMaxBytes)
	}
	a := &Arena{chunk: max(bytes, hugePage)}
	if err := a.grow(0); err != nil {
		return nil, err
	}
	return a, nil
}

// F32 returns n zeroed float32. It panics if n is negative or the kernel has no memory.
func (a *Arena) F32(n int) []float32 {
	b := a.alloc(n, 4)
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// BF16 returns n zeroed BF16. It panics if n is negative or the kernel has no memory.
func (a *Arena) BF16(n int) []BF16 {
	b := a.alloc(n, 2)
	return unsafe.Slice((*BF16)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// Close returns the memory. Every slice of the arena becomes invalid: touching one faults.
func (a *Arena) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var first error
	for _, m := range a.maps {
		if err := unix.Munmap(m); err != nil && first == nil {
			first = fmt.Errorf("unmap arena: %w", err)
		}
	}
	a.maps, a.free = nil, nil
	return first
}

func (a *Arena) alloc(n, size int) []byte {
	if n < 0 || n > arenaMaxBytes/size {
		panic(fmt.Sprintf("tensor: arena allocation of %d elements", n))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	bytes := roundUp(n*size, ArenaAlign)
	if bytes > len(a.free) {
		if err := a.grow(bytes); err != nil {
			panic(err)
		}
	}
	b := a.free[:bytes:bytes]
	a.free = a.free[bytes:]
	return b
}

// grow maps a chunk of at least bytes and makes it the one to allocate from.
func (a *Arena) grow(bytes int) error {
	size := roundUp(max(bytes, a.chunk), hugePage)
	m, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return fmt.Errorf("map an arena of %d bytes: %w", size, err)
	}
	start := int(-uintptr(unsafe.Pointer(unsafe.SliceData(m))) & (hugePage - 1))
	a.maps = append(a.maps, m)
	a.free = m[start : start+size]
	AdviseHuge(a.free)
	return nil
}

// AdviseHuge asks the kernel to serve s, which should not have been touched yet, with huge
// pages, as far as it covers whole ones. It is advice: where there are no huge pages small
// ones do.
func AdviseHuge[T any](s []T) {
	var zero T
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
	start := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (hugePage - 1))
	if whole := (len(b) - start) / hugePage * hugePage; whole > 0 {
		_ = unix.Madvise(b[start:start+whole], unix.MADV_HUGEPAGE)
	}
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
