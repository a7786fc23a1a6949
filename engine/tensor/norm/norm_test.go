package norm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// exact is RMSNorm in float64.
func exact(x, w []float64, eps float64) []float64 {
	c := len(w)
	y := make([]float64, len(x))
	for t := 0; t < len(x); t += c {
		sum := 0.0
		for _, v := range x[t : t+c] {
			sum += v * v
		}
		r := 1 / math.Sqrt(sum/float64(c)+eps)
		for i := range c {
			y[t+i] = x[t+i] * r * w[i]
		}
	}
	return y
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

var shapes = [][2]int{{0, 8}, {1, 1}, {2, 3}, {1, 4}, {3, 15}, {2, 16}, {2, 17}, {5, 64}, {3, 257}, {2, 576}}

const eps = 1e-5

func TestRMSNorm(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(s[1])))
			x, w, rstd := random(r, s[0]*s[1]), random(r, s[1]), make([]float32, s[0])
			y := make([]float32, len(x))
			RMSNorm(y, rstd, x, w, eps)
			bound := 8 * math.Exp2(-24) * max(1, math.Log2(float64(s[1])))
			for i, want := range exact(wide(x), wide(w), eps) {
				if !(math.Abs(float64(y[i])-want) <= bound*math.Abs(want)) {
					t.Fatalf("y[%d] = %g, want %g", i, y[i], want)
				}
			}
			RMSNorm(x, rstd, x, w, eps)
			for i := range x {
				if x[i] != y[i] {
					t.Fatalf("in place: y[%d] = %g, want %g", i, x[i], y[i])
				}
			}
		})
	}
}

// TestRMSNormBackward compares with central differences in float64.
func TestRMSNormBackward(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(2, uint64(s[1])))
			x, w, dy, rstd := random(r, s[0]*s[1]), random(r, s[1]), random(r, s[0]*s[1]), make([]float32, s[0])
			dx, dw := random(r, len(x)), random(r, len(w))
			dx0, dw0 := wide(dx), wide(dw)
			RMSNorm(make([]float32, len(x)), rstd, x, w, eps)
			RMSNormBackward(dx, dw, dy, x, w, rstd)
			x64, w64 := wide(x), wide(w)
			slope := func(p *float64) float64 {
				const h = 1e-6
				at := func(v float64) (sum float64) {
					old := *p
					*p = v
					for i, y := range exact(x64, w64, eps) {
						sum += y * float64(dy[i])
					}
					*p = old
					return sum
				}
				return (at(*p+h) - at(*p-h)) / (2 * h)
			}
			for i := 0; i < len(x); i += 1 + len(x)/50 {
				if got, want := float64(dx[i])-dx0[i], slope(&x64[i]); !(math.Abs(got-want) <= 2e-5*(1+math.Abs(want)+math.Abs(dx0[i]))) {
					t.Errorf("dx[%d] += %g, want %g", i, got, want)
				}
			}
			for i := 0; i < len(w); i += 1 + len(w)/50 {
				if got, want := float64(dw[i])-dw0[i], slope(&w64[i]); !(math.Abs(got-want) <= 2e-5*(1+math.Abs(want)+math.Abs(dw0[i]))) {
					t.Errorf("dw[%d] += %g, want %g", i, got, want)
				}
			}
		})
	}
}

func TestNaNShows(t *testing.T) {
	t.Parallel()
	x := []float32{1, float32(math.NaN()), 3}
	y := make([]float32, 3)
	RMSNorm(y, make([]float32, 1), x, []float32{1, 1, 1}, eps)
	if y[0] == y[0] {
		t.Errorf("y[0] = %g beside a NaN", y[0])
	}
}

func TestLengthsPanic(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	RMSNorm(make([]float32, 4), make([]float32, 1), make([]float32, 4), make([]float32, 3), eps)
}
