package act

import (
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

func close32(got float32, want, ulps float64) bool {
	return math.Abs(float64(got)-want) <= ulps*math.Exp2(-24)*math.Abs(want)+math.Exp2(-126)
}

func TestSwiGLU(t *testing.T) {
	t.Parallel()
	for _, n := range lengths {
		gate, up := inputs(n)
		dst := make([]float32, n)
		SwiGLU(dst, gate, up)
		for i := range dst {
			g := float64(gate[i])
			want := float64(up[i]) * g / (1 + math.Exp(-g))
			if math.Abs(want) > math.MaxFloat32 {
				continue
			}
			if !close32(dst[i], want, 8) {
				t.Fatalf("n=%d: SwiGLU(%g, %g) = %g, want %g", n, gate[i], up[i], dst[i], want)
			}
		}
	}
}

func TestSwiGLUBackward(t *testing.T) {
	t.Parallel()
	for _, n := range lengths {
		gate, up := inputs(n)
		_, d := inputs(n + 1)
		d = d[:n]
		for i := range gate {
			gate[i] = max(min(gate[i], 30), -30)
		}
		dgate, dup := append([]float32(nil), gate...), append([]float32(nil), up...)
		SwiGLUBackward(dgate, dup, d, dgate, dup) // in place
		for i := range d {
			f := func(g float64) float64 { return g / (1 + math.Exp(-g)) }
			const h = 1e-5
			g, x, u := float64(gate[i]), float64(d[i]), float64(up[i])
			slope := (f(g+h) - f(g-h)) / (2 * h)
			if want := x * f(g); !close32(dup[i], want, 8) {
				t.Fatalf("n=%d: dup(%g) = %g, want %g", n, g, dup[i], want)
			}
			if want := x * u * slope; !(math.Abs(float64(dgate[i])-want) <= 1e-6*math.Abs(x*u)) {
				t.Fatalf("n=%d: dgate(%g) = %g, want %g", n, g, dgate[i], want)
			}
		}
	}
}

func TestNaNShows(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	gate, up := []float32{nan, 1}, []float32{1, nan}
	dst := make([]float32, 2)
	SwiGLU(dst, gate, up)
	for i, y := range dst {
		if y == y {
			t.Errorf("dst[%d] = %g from a NaN", i, y)
		}
	}
}
