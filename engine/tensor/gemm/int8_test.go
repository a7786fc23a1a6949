package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
)

// unquantized returns what the bytes of pb stand for.
func unquantized(pb *Packed) Matrix {
	m := Matrix{Rows: pb.rows, Cols: pb.cols, Stride: pb.cols, F32: make([]float32, pb.rows*pb.cols)}
	for i := range pb.rows {
		block := i / pb.kernel.kc * pb.kernel.kc
		for j := range pb.cols {
			panel := pb.bytes[j/int8Cols*pb.int8Panel()+pb.int8Start(block):]
			m.F32[i*pb.cols+j] = int8Value(panel[int8At(i-block, j%int8Cols)])
		}
	}
	return m
}

// TestInt8: products with weights of eight bits are those of the numbers that the bytes
// stand for, and these are as near to the weights as eight bits allow.
func TestInt8(t *testing.T) {
	t.Parallel()
	pool := tensor.NewPool(2)
	t.Cleanup(pool.Close)
	allKernels(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(41, 42))
		for _, s := range [][3]int{
			{1, 1, 1}, {1, 64, 2}, {2, 63, 7}, {3, 65, 64}, {4, 130, k.kc + 1}, {5, 64, 2 * k.kc}, {17, 200, k.kc - 3}, {k.mc + 3, 70, 40},
		} {
			for variant := range 4 {
				testInt8(t, pool, k, r, s, variant&1 != 0, variant&2 != 0)
			}
		}
	})
}

func testInt8(t *testing.T, pool *tensor.Pool, k *Kernel, r *rand.Rand, s [3]int, trans, accumulate bool) {
	t.Helper()
	a, b := randomMatrix(r, s[0], s[2], false, false), randomMatrix(r, s[2], s[1], trans, r.IntN(3) == 0)
	name := fmt.Sprintf("%v trans=%v accumulate=%v", s, trans, accumulate)
	packed := PackInt8(pool, k, b)
	q := unquantized(packed)
	for i := range b.Rows {
		for j := range b.Cols {
			scale := packed.scales[j]
			if d := math.Abs(float64(q.At(i, j)*scale - b.At(i, j))); !(d <= float64(scale)*(0.5+1e-5)) {
				t.Fatalf("%s: weight (%d,%d) is %g, stored as %g of %g", name, i, j, b.At(i, j), q.At(i, j), scale)
			}
		}
	}
	g := newGuarded(r, s[0], s[1])
	before := slices.Clone(g.c)
	MulPacked(pool, k, g.c, g.ldc, a, packed, accumulate)
	if err := g.check(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	p := exact(k.bf16, a, q, nil, 0, false)
	for i := range p.rows {
		for j := range p.cols {
			scale, at := float64(packed.scales[j]), i*p.cols+j
			p.want[at], p.mag[at] = p.want[at]*scale, p.mag[at]*scale
			if accumulate {
				p.want[at] += float64(before[i*g.ldc+j])
				p.mag[at] += math.Abs(float64(before[i*g.ldc+j]))
			}
		}
	}
	if err := p.compare(g.c, g.ldc); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestInt8RowsAlone: a row has the same bits whatever the number of rows and of threads, by
// the tiles for few rows and by those for many.
func TestInt8RowsAlone(t *testing.T) {
	t.Parallel()
	pool := tensor.NewPool(3)
	t.Cleanup(pool.Close)
	allKernels(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(43, 44))
		const m, n = 40, 170
		kk := k.kc + 9
		a, packed := randomMatrix(r, m, kk, false, false), PackInt8(pool, k, randomMatrix(r, kk, n, true, false))
		all := make([]float32, m*n)
		MulPacked(pool, k, all, n, a, packed, false)
		for rows := 1; rows < 9; rows++ {
			i := r.IntN(m - rows)
			some := make([]float32, rows*n)
			MulPacked(nil, k, some, n, a.sub(i, 0, rows, kk), packed, false)
			sameBits(t, fmt.Sprintf("%d rows from %d alone", rows, i), all[i*n:][:rows*n], some)
		}
	})
}

// TestInt8Bits: every magnitude and sign, and what is not a number.
func TestInt8Bits(t *testing.T) {
	t.Parallel()
	for q := -int8Max; q <= int8Max; q++ {
		if v := int8Value(int8Bits(float32(q)*0.25, 0.25)); v != float32(q) {
			t.Errorf("%d is stored as %g", q, v)
		}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, x := range []float32{nan, inf, -inf, 0} {
		if b := int8Bits(x, 0); b != 0 {
			t.Errorf("%g of scale 0 is stored as %#x", x, b)
		}
	}
	b := Matrix{Rows: 3, Cols: 2, Stride: 2, F32: []float32{1, 2, nan, 3, 4, inf}}
	for _, k := range Kernels() {
		c := make([]float32, 2)
		MulPacked(nil, k, c, 2, Matrix{Rows: 1, Cols: 3, Stride: 3, F32: []float32{1, 1, 1}}, PackInt8(nil, k, b), false)
		if c[0] == c[0] || c[1]-c[1] == 0 {
			t.Errorf("%s: weights that are not finite give %v", k.Name(), c)
		}
	}
}

// TestInt8At: the order of the bytes of a panel has a place for each.
func TestInt8At(t *testing.T) {
	t.Parallel()
	const words = 3
	var used [words * 2 * int8Cols]bool
	for k := range 2 * words {
		for j := range int8Cols {
			if at := int8At(k, j); used[at] {
				t.Errorf("step %d of column %d shares its place", k, j)
			} else {
				used[at] = true
			}
		}
	}
}

// TestInt8Scale: the kernels' scale has the bits of the definition.
func TestInt8Scale(t *testing.T) {
	t.Parallel()
	for _, k := range Kernels() {
		r := rand.New(rand.NewPCG(45, 46))
		for n := 1; n <= int8Cols; n++ {
			c, sums, scales := randomMatrix(r, 1, n, false, false).F32, randomMatrix(r, 1, n, false, false).F32, randomMatrix(r, 1, n, false, false).F32
			for _, accumulate := range []bool{false, true} {
				want, got := slices.Clone(c), slices.Clone(c)
				scaleGo(want[:n], sums[:n], scales[:n], accumulate)
				k.scale(got[:n], sums[:n], scales[:n], accumulate)
				sameBits(t, k.name, want, got)
			}
		}
	}
}
