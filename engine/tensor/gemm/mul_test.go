package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
)

// allKernels runs f once per registered kernel. A kernel that this machine cannot run is
// skipped, unless OUTCROP_REQUIRE (for example "avx512,amx") names its instruction set.
func allKernels(t *testing.T, f func(t *testing.T, k *Kernel)) {
	for _, k := range registry(tensor.HostCPU()) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			if !k.usable(tensor.HostCPU()) {
				for _, set := range strings.Split(os.Getenv("OUTCROP_REQUIRE"), ",") {
					if set != "" && strings.HasPrefix(k.name, set) {
						t.Fatalf("OUTCROP_REQUIRE names %s, and this CPU cannot run %s", set, k.name)
					}
				}
				t.Skipf("NOT TESTED: this CPU cannot run %s (it has %s)", k.name, tensor.HostCPU())
			}
			f(t, k)
		})
	}
}

// shapes are M, N, K: empty, one, odd, each tile size and one off, across blocks of K.
func shapes(k *Kernel, r *rand.Rand) [][3]int {
	s := [][3]int{
		{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {1, 1, 1}, {1, k.nr, 2}, {k.mr, k.nr, k.kUnit},
		{k.mr + 1, k.nr + 1, k.kUnit + 1}, {k.mr - 1, k.nr - 1, max(k.kUnit-1, 1)},
		{2*k.mr + 3, 3*k.nr + 5, k.kc}, {3, 2*k.nr + 1, k.kc + 1}, {k.mc + 1, k.nr, 2*k.kc - 1},
		{1, 5*k.nr + 2, 40}, {k.mr, 9*k.nr - 1, 33}, {17, 47, 2*k.kc + 3}, {64, 64, 64}, {300, 600, 40},
	}
	for range 25 {
		s = append(s, [3]int{1 + r.IntN(100), 1 + r.IntN(150), 1 + r.IntN(120)})
	}
	return s
}

func TestKernels(t *testing.T) {
	t.Parallel()
	pool := tensor.NewPool(2)
	t.Cleanup(pool.Close)
	allKernels(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(7, 8))
		for n, s := range shapes(k, r) {
			for variant := range 4 {
				testMul(t, pool, k, r, s, variant, n%2 == 0)
			}
		}
	})
}

// testMul multiplies one shape; variant's bits are the transposition of A and of B.
func testMul(t *testing.T, pool *tensor.Pool, k *Kernel, r *rand.Rand, s [3]int, variant int, accumulate bool) {
	t.Helper()
	a := randomMatrix(r, s[0], s[2], variant&1 != 0, r.IntN(3) == 0)
	b := randomMatrix(r, s[2], s[1], variant&2 != 0, r.IntN(3) == 0)
	name := fmt.Sprintf("%dx%dx%d transA=%v transB=%v bf16A=%v bf16B=%v accumulate=%v",
		s[0], s[1], s[2], a.Trans, b.Trans, a.BF16 != nil, b.BF16 != nil, accumulate)
	g := newGuarded(r, s[0], s[1])
	p := exact(k.bf16, a, b, g.c, g.ldc, accumulate)
	packed := guarded{all: append([]float32(nil), g.all...), rows: g.rows, cols: g.cols, ldc: g.ldc}
	packed.c = packed.all[len(g.all)-len(g.c):]

	Mul(pool, k, g.c, g.ldc, a, b, accumulate)
	if err := p.compare(g.c, g.ldc); err != nil {
		t.Fatalf("Mul %s: %v", name, err)
	}
	if err := g.check(); err != nil {
		t.Fatalf("Mul %s: %v", name, err)
	}
	MulPacked(pool, k, packed.c, packed.ldc, a, Pack(pool, k, b), accumulate)
	for i, v := range packed.all {
		if math.Float32bits(v) != math.Float32bits(g.all[i]) {
			t.Fatalf("MulPacked %s differs from Mul at word %d", name, i)
		}
	}
}

// TestNotFinite: a NaN or an infinity spoils its row and its column, and nothing else.
func TestNotFinite(t *testing.T) {
	t.Parallel()
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
	allKernels(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, v := range bad {
			a, b := randomMatrix(r, 40, 90, false, false), randomMatrix(r, 90, 70, r.IntN(2) == 0, false)
			a.F32[a.index(r.IntN(40), r.IntN(90))] = v
			b.F32[b.index(r.IntN(90), r.IntN(70))] = v
			c := make([]float32, 40*70)
			Mul(nil, k, c, 70, a, b, false)
			if err := exact(k.bf16, a, b, nil, 0, false).compare(c, 70); err != nil {
				t.Errorf("with %g: %v", v, err)
			}
		}
	})
}

// TestElementsAlone: an element of C has the same bits whatever the number of rows, of
// columns and of threads, and wherever it is.
func TestElementsAlone(t *testing.T) {
	t.Parallel()
	pool := tensor.NewPool(3)
	t.Cleanup(pool.Close)
	allKernels(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(5, 6))
		const m, n = 300, 170
		kk := 2*k.kc + 7
		a, b := randomMatrix(r, m, kk, false, false), randomMatrix(r, kk, n, true, false)
		all, one := make([]float32, m*n), make([]float32, m*n)
		packed := Pack(pool, k, b)
		MulPacked(pool, k, all, n, a, packed, false)
		MulPacked(nil, k, one, n, a, packed, false)
		sameBits(t, "one thread and three", all, one)
		for range 40 {
			rows := 1 + r.IntN(40)
			i := r.IntN(m - rows + 1)
			some := make([]float32, rows*n)
			MulPacked(pool, k, some, n, a.sub(i, 0, rows, kk), packed, false)
			sameBits(t, fmt.Sprintf("rows %d to %d alone", i, i+rows), all[i*n:][:rows*n], some)
		}
		for range 10 {
			cols := 1 + r.IntN(40)
			j := r.IntN(n - cols + 1)
			some, want := make([]float32, 3*cols), make([]float32, 0, 3*cols)
			Mul(nil, k, some, cols, a.sub(7, 0, 3, kk), b.sub(0, j, kk, cols), false)
			for i := 7; i < 10; i++ {
				want = append(want, all[i*n+j:][:cols]...)
			}
			sameBits(t, fmt.Sprintf("columns %d to %d alone", j, j+cols), want, some)
		}
	})
}

func sameBits(t *testing.T, what string, x, y []float32) {
	t.Helper()
	for i := range x {
		if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
			t.Fatalf("%s: element %d is %g and %g", what, i, x[i], y[i])
		}
	}
}

func TestByName(t *testing.T) {
	t.Parallel()
	for _, k := range Kernels() {
		if got, err := ByName(k.Name()); err != nil || got != k {
			t.Errorf("ByName(%q) = %v, %v", k.Name(), got, err)
		}
	}
	if _, err := ByName("abacus"); err == nil || !strings.Contains(err.Error(), "ref-f32") {
		t.Errorf("ByName of an unknown kernel: %v; want an error that lists the known ones", err)
	}
	if Best() != Kernels()[0] {
		t.Error("Best is not the first of Kernels")
	}
}

func TestMulPanics(t *testing.T) {
	t.Parallel()
	f := make([]float32, 12)
	m := Matrix{Rows: 3, Cols: 4, Stride: 4, F32: f}
	cases := map[string]func(){
		"inner sizes differ":    func() { Mul(nil, refF32, f, 4, m, m, false) },
		"C too short":           func() { Mul(nil, refF32, f[:8], 3, m, m.transposed(), false) },
		"stride of C too short": func() { Mul(nil, refF32, f, 2, m, m.transposed(), false) },
		"A too short": func() {
			Mul(nil, refF32, f, 3, Matrix{Rows: 3, Cols: 4, Stride: 4, F32: f[:11]}, m.transposed(), false)
		},
		"packed for another": func() { MulPacked(nil, refBF16, f, 3, m, Pack(nil, refF32, m.transposed()), false) },
	}
	for name, f := range cases {
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

func FuzzMul(f *testing.F) {
	f.Add(uint8(3), uint8(5), uint16(7), uint8(0), uint64(1))
	f.Fuzz(func(t *testing.T, m, n uint8, kk uint16, variant uint8, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		for _, k := range Kernels() {
			testMul(t, nil, k, r, [3]int{int(m), int(n), int(kk) % 1200}, int(variant), variant&4 != 0)
		}
	})
}
