//go:build linux

package tensor

import (
	"math"
	"testing"
	"unsafe"
)

func TestArena(t *testing.T) {
	t.Parallel()
	a, err := NewArena(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var all [][]float32
	for _, n := range []int{0, 1, 3, 1000, 1 << 20, 5} { // the fifth needs a chunk of its own
		f, h := a.F32(n), a.BF16(n)
		if len(f) != n || len(h) != n {
			t.Fatalf("asked for %d, got %d and %d", n, len(f), len(h))
		}
		for _, p := range []uintptr{uintptr(unsafe.Pointer(unsafe.SliceData(f))), uintptr(unsafe.Pointer(unsafe.SliceData(h)))} {
			if p%ArenaAlign != 0 {
				t.Errorf("slice of %d at %#x is not aligned", n, p)
			}
		}
		for i := range f {
			if f[i] != 0 {
				t.Fatalf("element %d of %d is not zero", i, n)
			}
			f[i] = float32(len(all))
			h[i] = 0xffff
		}
		all = append(all, f)
	}
	for v, f := range all {
		for i := range f {
			if f[i] != float32(v) {
				t.Fatalf("slices overlap: element %d of slice %d is %g", i, v, f[i])
			}
		}
	}
}

func TestArenaBadSizes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, arenaMaxBytes + 1, math.MaxInt} {
		if _, err := NewArena(n); err == nil {
			t.Errorf("NewArena(%d): no error", n)
		}
	}
	a, err := NewArena(0)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer func() {
		if recover() == nil {
			t.Error("F32(-1) did not panic")
		}
	}()
	a.F32(-1)
}

// TestAdviseHuge: advice changes no content, whatever the size and the place of the slice.
func TestAdviseHuge(t *testing.T) {
	t.Parallel()
	AdviseHuge[float32](nil)
	for _, n := range []int{1, 1000, hugePage / 4, 3*hugePage/4 + 5} {
		s := make([]float32, n)
		for i := range s {
			s[i] = float32(i)
		}
		AdviseHuge(s[1:])
		for i := range s {
			if s[i] != float32(i) {
				t.Fatalf("element %d of %d has changed", i, n)
			}
		}
	}
}
