package norm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
	"outcrop.dev/outcrop/engine/tensor/internal/vec/vectest"
)

// exactLayer is LayerNorm in float64; mag is what its error is measured by.
func exactLayer(x, w, b []float64, eps float64) (y, mag []float64) {
	c := len(w)
	y, mag = make([]float64, len(x)), make([]float64, len(x))
	for t := 0; t < len(x); t += c {
		mean, square := 0.0, 0.0
		for _, v := range x[t : t+c] {
			mean += v / float64(c)
		}
		for _, v := range x[t : t+c] {
			square += (v - mean) * (v - mean) / float64(c)
		}
		r := 1 / math.Sqrt(square+eps)
		for i := range c {
			d := (x[t+i] - mean) * r * w[i]
			y[t+i], mag[t+i] = d+b[i], math.Abs(d)+math.Abs(b[i])+math.Abs(mean*r*w[i])
		}
	}
	return y, mag
}

// layerInput are rows whose mean is far from zero.
func layerInput(seed uint64, s [2]int) (x, w, b []float32) {
	r := rand.New(rand.NewPCG(seed, uint64(s[1])))
	x, w, b = random(r, s[0]*s[1]), random(r, s[1]), random(r, s[1])
	for i := range x {
		x[i] += 3
	}
	return x, w, b
}

func TestLayerNorm(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			x, w, b := layerInput(1, s)
			mean, rstd, y := make([]float32, s[0]), make([]float32, s[0]), make([]float32, len(x))
			LayerNorm(y, mean, rstd, x, w, b, eps)
			want, mag := exactLayer(wide(x), wide(w), wide(b), eps)
			bound := 16 * math.Exp2(-24) * max(1, math.Log2(float64(s[1])))
			for i := range y {
				if s[1] > 1 && !(math.Abs(float64(y[i])-want[i]) <= bound*mag[i]) {
					t.Fatalf("y[%d] = %g, want %g", i, y[i], want[i])
				}
			}
			LayerNorm(x, mean, rstd, x, w, b, eps)
			for i := range x {
				if x[i] != y[i] {
					t.Fatalf("in place: y[%d] = %g, want %g", i, x[i], y[i])
				}
			}
		})
	}
}

// TestLayerNormBackward compares with central differences in float64.
func TestLayerNormBackward(t *testing.T) {
	t.Parallel()
	for _, s := range [][2]int{{1, 4}, {3, 15}, {2, 16}, {2, 17}, {5, 64}, {3, 257}} {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			x, w, b := layerInput(2, s)
			r := rand.New(rand.NewPCG(3, 3))
			dy, mean, rstd := random(r, len(x)), make([]float32, s[0]), make([]float32, s[0])
			LayerNorm(make([]float32, len(x)), mean, rstd, x, w, b, eps)
			dx, dw, db := random(r, len(x)), random(r, len(w)), random(r, len(w))
			before := [][]float64{wide(dx), wide(dw), wide(db)}
			LayerNormBackward(dx, dw, db, dy, x, w, mean, rstd)
			x64, w64, b64 := wide(x), wide(w), wide(b)
			loss := func() (sum float64) {
				y, _ := exactLayer(x64, w64, b64, eps)
				for i := range y {
					sum += y[i] * float64(dy[i])
				}
				return sum
			}
			for k, p := range []struct {
				name string
				v    []float64
				d    []float32
			}{{"dx", x64, dx}, {"dw", w64, dw}, {"db", b64, db}} {
				for i := 0; i < len(p.v); i += 1 + len(p.v)/50 {
					const h = 1e-6
					v := p.v[i]
					p.v[i] = v + h
					up := loss()
					p.v[i] = v - h
					down := loss()
					p.v[i] = v
					got, want := float64(p.d[i])-before[k][i], (up-down)/(2*h)
					if !(math.Abs(got-want) <= 3e-5*(1+math.Abs(want)+math.Abs(before[k][i]))) {
						t.Errorf("%s[%d] += %g, want %g", p.name, i, got, want)
					}
				}
			}
		})
	}
}

func TestFastLayerIsRef(t *testing.T) {
	t.Parallel()
	vectest.Each(t, func(t *testing.T, set *vec.Set) {
		for _, c := range []int{2, 7, 16, 33, 256} {
			x, w, b := layerInput(4, [2]int{3, c})
			y, yRef := vectest.Two(x)
			mean, meanRef := vectest.Two(make([]float32, 3))
			rstd, rstdRef := vectest.Two(make([]float32, 3))
			fast{set}.layerNorm(y, mean, rstd, x, w, b, eps)
			layerNormRef(yRef, meanRef, rstdRef, x, w, b, eps)
			vectest.Near(t, "layerNorm", y, yRef, 0x1p-18, 3)
			vectest.Near(t, "rstd", rstd, rstdRef, 0x1p-18, 0)
			vectest.Near(t, "mean", mean, meanRef, 0, 0)

			dy, _, _ := layerInput(5, [2]int{3, c})
			dx, dxRef := vectest.Two(y)
			dw, dwRef := vectest.Two(w)
			db, dbRef := vectest.Two(b)
			fast{set}.layerNormBackward(dx, dw, db, dy, x, w, mean, rstd)
			layerNormBackwardRef(dxRef, dwRef, dbRef, dy, x, w, mean, rstd)
			vectest.Near(t, "dx", dx, dxRef, 0x1p-18, 10)
			vectest.Near(t, "dw", dw, dwRef, 0x1p-18, 10)
			vectest.Near(t, "db", db, dbRef, 0x1p-18, 1)
		}
	})
}

func TestLayerLengthsPanic(t *testing.T) {
	t.Parallel()
	two, four := make([]float32, 2), make([]float32, 4)
	for i, f := range []func(){
		func() { LayerNorm(four, two[:1], two, four, two, two, eps) },
		func() { LayerNorm(four, two, two, four, two, four, eps) },
		func() { LayerNormBackward(four, two, four, four, four, two, two, two) },
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
