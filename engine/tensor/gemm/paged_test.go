package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
)

// TestPageLen: a page is whole panels, and whole units along K, of every kernel.
func TestPageLen(t *testing.T) {
	t.Parallel()
	for _, k := range registry(tensor.CPU{}) {
		if PageLen%k.nr != 0 || PageLen%k.kUnit != 0 || PageLen > k.kc {
			t.Errorf("%s: pages of %d lines, panels of %d, units of %d", k.name, PageLen, k.nr, k.kUnit)
		}
	}
}

// TestPaged: products with pages have the bits of products with the same matrix, however
// the lines came.
func TestPaged(t *testing.T) {
	t.Parallel()
	allKernels(t, func(t *testing.T, k *Kernel) { testPaged(t, k, rand.New(rand.NewPCG(51, 52))) })
}

func testPaged(t *testing.T, k *Kernel, r *rand.Rand) {
	t.Helper()
	for _, width := range []int{2, 32, 40, 64, k.kc + 6} {
		for _, columns := range []bool{true, false} {
			const lines = 2*PageLen + 13
			src := randomMatrix(r, lines, width, false, false)
			b := &Paged{Kernel: k, Width: width, Columns: columns}
			for range 3 {
				b.Pages = append(b.Pages, NewPage(b.PageWords()))
			}
			b.fillRandomly(r, src)
			for _, rows := range []int{1, 3, 40} {
				for _, first := range []int{0, PageLen} {
					n := 1 + r.IntN(lines-first)
					b.Clear(b.Pages[(first+n-1)/PageLen], (first+n-1)%PageLen+1)
					name := fmt.Sprintf("width %d, columns %v, %d rows, lines %d to %d", width, columns, rows, first, first+n)
					comparePaged(t, name, r, b, src, rows, first, n)
					b.Put((first+n-1)/PageLen*PageLen, src.sub((first+n-1)/PageLen*PageLen, 0, lines-(first+n-1)/PageLen*PageLen, width))
				}
			}
		}
	}
}

// fillRandomly puts the lines of src a few at a time, some of them twice.
func (b *Paged) fillRandomly(r *rand.Rand, src Matrix) {
	for at := 0; at < src.Rows; {
		n := min(1+r.IntN(70), src.Rows-at)
		b.Put(at, src.sub(at, 0, n, src.Cols))
		at += n
		if at < src.Rows && r.IntN(3) == 0 { // forget some
			back := r.IntN(min(n, (at-1)%PageLen+1) + 1)
			at -= back
			if at%PageLen != 0 {
				b.Clear(b.Pages[at/PageLen], at%PageLen)
			}
		}
	}
}

func comparePaged(t *testing.T, name string, r *rand.Rand, b *Paged, src Matrix, rows, first, n int) {
	t.Helper()
	whole := src.sub(first, 0, n, src.Cols)
	if b.Columns {
		whole = whole.transposed()
	}
	a := randomMatrix(r, rows, whole.Rows, false, false)
	want, got := make([]float32, rows*whole.Cols), newGuarded(r, rows, whole.Cols)
	Mul(nil, b.Kernel, want, whole.Cols, a, whole, false)
	MulPaged(got.c, got.ldc, a, b, first, n)
	if err := got.check(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for i := range rows {
		sameBits(t, name, want[i*whole.Cols:][:whole.Cols], got.c[i*got.ldc:][:whole.Cols])
	}
}

func TestPagedPanics(t *testing.T) {
	t.Parallel()
	b := &Paged{Kernel: refF32, Width: 4, Pages: [][]uint32{NewPage(1024)}}
	line := Matrix{Rows: 1, Cols: 3, Stride: 3, F32: make([]float32, 3)}
	for name, f := range map[string]func(){
		"a line of another width": func() { b.Put(0, line) },
		"not the first of a page": func() { MulPaged(make([]float32, 4), 4, line, b, 1, 3) },
		"a page is missing":       func() { b.Put(PageLen, Matrix{Rows: 1, Cols: 4, Stride: 4, F32: make([]float32, 4)}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
