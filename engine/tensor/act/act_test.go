package act

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// inputs are gates and ups with the edges of the range among them.
func inputs(n int) (gate, up []float32) {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	edges := []float32{0, -0.0001, 1, -1, 20, -20, 88, -88, 104, -104, 1e4, -1e4, 1e30, -1e30}
	for i := range n {
		gate, up = append(gate, float32(r.NormFloat64()*3)), append(up, float32(r.NormFloat64()))
		if i%3 == 1 {
			gate[i] = edges[i/3%len(edges)]
		}
	}
	return gate, up
}

var lengths = []int{0, 1, 7, 15, 16, 17, 33, 64, 100, 704}

// exacts are the formulas, in float64.
var exacts = []struct {
	kind Kind
	name string
	f    func(x float64) float64
	// error of the function, relative to its value and to its argument
	value, argument float64
}{
	{SiLU, "SiLU", func(x float64) float64 { return x / (1 + math.Exp(-x)) }, 0x1p-21, 0},
	{GELU, "GELU", func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, 0, 0x1p-20},
	{GELUTanh, "GELUTanh", func(x float64) float64 {
		return x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) / 2
	}, 0, 0x1p-20},
}

// each runs f for every activation and length.
func each(t *testing.T, f func(t *testing.T, i, n int)) {
	t.Parallel()
	for i, e := range exacts {
		for _, n := range lengths {
			t.Run(fmt.Sprint(e.name, n), func(t *testing.T) { t.Parallel(); f(t, i, n) })
		}
	}
}

func near(got float32, want, bound float64) bool {
	return math.Abs(want) > math.MaxFloat32 || math.Abs(float64(got)-want) <= bound+0x1p-126
}

func TestForward(t *testing.T) {
	each(t, func(t *testing.T, i, n int) {
		e := exacts[i]
		x, _ := inputs(n)
		dst := append([]float32(nil), x...)
		e.kind.Forward(dst, dst) // in place
		for j := range dst {
			v := float64(x[j])
			if want := e.f(v); !near(dst[j], want, e.value*math.Abs(want)+e.argument*math.Abs(v)) {
				t.Fatalf("f(%g) = %g, want %g", v, dst[j], want)
			}
		}
	})
}

func TestGated(t *testing.T) {
	each(t, func(t *testing.T, i, n int) {
		e := exacts[i]
		gate, up := inputs(n)
		dst := make([]float32, n)
		e.kind.Gated(dst, gate, up)
		for j := range dst {
			g, u := float64(gate[j]), float64(up[j])
			if want := u * e.f(g); !near(dst[j], want, e.value*math.Abs(want)+e.argument*math.Abs(u*g)) {
				t.Fatalf("gated(%g, %g) = %g, want %g", g, u, dst[j], want)
			}
		}
	})
}

// TestBackward compares with central differences, within the range where they can be taken.
func TestBackward(t *testing.T) {
	each(t, func(t *testing.T, i, n int) {
		e := exacts[i]
		gate, up := inputs(n)
		_, d := inputs(n + 1)
		d = d[:n]
		for j := range gate {
			gate[j] = max(min(gate[j], 30), -30)
		}
		dx, dgate, dup := append([]float32(nil), gate...), append([]float32(nil), gate...), append([]float32(nil), up...)
		e.kind.Backward(dx, d, dx)                      // in place
		e.kind.GatedBackward(dgate, dup, d, dgate, dup) // in place
		for j := range d {
			const h = 1e-5
			g, x, u := float64(gate[j]), float64(d[j]), float64(up[j])
			slope := (e.f(g+h) - e.f(g-h)) / (2 * h)
			if want := x * slope; !near(dx[j], want, 2e-6*math.Abs(x)) {
				t.Fatalf("dx(%g) = %g, want %g", g, dx[j], want)
			}
			if want := x * e.f(g); !near(dup[j], want, e.value*math.Abs(want)+e.argument*math.Abs(x*g)) {
				t.Fatalf("dup(%g) = %g, want %g", g, dup[j], want)
			}
			if want := x * u * slope; !near(dgate[j], want, 2e-6*math.Abs(x*u)) {
				t.Fatalf("dgate(%g) = %g, want %g", g, dgate[j], want)
			}
		}
	})
}

func TestNaNShows(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	gate, up := []float32{nan, 1}, []float32{1, nan}
	dst := make([]float32, 2)
	for _, e := range exacts {
		e.kind.Gated(dst, gate, up)
		for i, y := range dst {
			if y == y {
				t.Errorf("%s: dst[%d] = %g from a NaN", e.name, i, y)
			}
		}
		e.kind.Forward(dst, gate)
		if dst[0] == dst[0] {
			t.Errorf("%s: %g from a NaN", e.name, dst[0])
		}
	}
}

func TestLengthsPanic(t *testing.T) {
	t.Parallel()
	a, b := make([]float32, 2), make([]float32, 3)
	for i, f := range []func(){
		func() { SiLU.Forward(a, b) }, func() { GELU.Backward(a, a, b) },
		func() { SiLU.Gated(a, a, b) }, func() { SiLU.GatedBackward(a, a, a, a, b) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("case %d does not panic", i)
				}
			}()
			f()
		}()
	}
}
