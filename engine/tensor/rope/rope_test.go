package rope

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRotate compares with complex multiplication: channel i is the real part, channel
// i+D/2 the imaginary one.
func TestRotate(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for _, d := range []int{2, 6, 16, 30, 32, 64, 80, 128} {
		tab := NewTable(70, Frequencies(d, 10000), 1)
		if tab.Len() != 70 {
			t.Fatalf("Len() = %d", tab.Len())
		}
		for _, pos := range []int{0, 1, 69} {
			const heads = 3
			x := make([]float32, heads*d)
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			y := append([]float32(nil), x...)
			cos, sin := tab.At(pos)
			Rotate(y, cos, sin)
			for i := range heads * d / 2 {
				h, c := i/(d/2)*d, i%(d/2)
				angle := float64(pos) * math.Pow(10000, -2*float64(c)/float64(d))
				s, co := math.Sincos(angle)
				want := complex(float64(x[h+c]), float64(x[h+c+d/2])) * complex(co, s)
				got := complex(float64(y[h+c]), float64(y[h+c+d/2]))
				if e := got - want; math.Hypot(real(e), imag(e)) > 1e-6*(1+math.Hypot(real(want), imag(want))) {
					t.Fatalf("d=%d pos=%d channel %d: %v, want %v", d, pos, c, got, want)
				}
			}
			RotateBackward(y, cos, sin)
			for i := range x {
				if math.Abs(float64(y[i]-x[i])) > 1e-6*(1+math.Abs(float64(x[i]))) {
					t.Fatalf("d=%d pos=%d: there and back %g, was %g", d, pos, y[i], x[i])
				}
			}
		}
	}
}

// TestScale: cosines and sines are times the scale, and so is what Rotate makes.
func TestScale(t *testing.T) {
	t.Parallel()
	one, two := NewTable(5, Frequencies(4, 100), 1), NewTable(5, Frequencies(4, 100), 2)
	x, y := []float32{1, 2, 3, 4}, []float32{1, 2, 3, 4}
	cos, sin := one.At(3)
	Rotate(x, cos, sin)
	cos, sin = two.At(3)
	Rotate(y, cos, sin)
	for i := range x {
		if y[i] != 2*x[i] {
			t.Errorf("channel %d: %g at scale 2, %g at 1", i, y[i], x[i])
		}
	}
	if two.Channels() != 4 {
		t.Errorf("Channels() = %d", two.Channels())
	}
}

// TestScalings: the ends of the range are left alone or divided by the whole factor, and
// what is in between lies in between.
func TestScalings(t *testing.T) {
	t.Parallel()
	const d, theta, factor, original = 64, 5e5, 8.0, 8192
	plain := func() []float64 { return Frequencies(d, theta) }
	for name, got := range map[string][]float64{
		"llama3": Llama3(plain(), factor, 1, 4, original),
		"yarn":   Yarn(plain(), theta, factor, 32, 1, original, true),
	} {
		f := plain()
		if got[0] != f[0] || math.Abs(got[d/2-1]*factor/f[d/2-1]-1) > 1e-12 {
			t.Errorf("%s: the ends %g, %g of %g, %g", name, got[0], got[d/2-1], f[0], f[d/2-1])
		}
		between := 0
		for i := range f {
			if r := f[i] / got[i]; r < 1-1e-12 || r > factor+1e-9 || i > 0 && r < f[i-1]/got[i-1]-1e-12 {
				t.Errorf("%s: frequency %d is divided by %g", name, i, r)
			} else if r > 1.01 && r < factor-0.01 {
				between++
			}
		}
		if between < 3 {
			t.Errorf("%s: %d frequencies lie between the ends", name, between)
		}
	}
	f := plain()
	for i, v := range Divide(plain(), 4) {
		if v != f[i]/4 {
			t.Errorf("frequency %d is %g, not a quarter of %g", i, v, f[i])
		}
	}
	if v := Divide([]float64{1, 2}, 4, 8); v[0] != 0.25 || v[1] != 0.25 {
		t.Errorf("each by its factor: %v", v)
	}
}

// TestGrow: a table that has grown is the one that was as long from the beginning.
func TestGrow(t *testing.T) {
	t.Parallel()
	want, got := NewTable(5000, Frequencies(6, 100), 2), NewTable(3, Frequencies(6, 100), 2)
	early, _ := got.At(2)
	for _, n := range []int{2, 4, 1500, 5000} {
		if got.Grow(n); got.Len() < n {
			t.Fatalf("%d positions after Grow(%d)", got.Len(), n)
		}
	}
	for p := range 5000 {
		wc, ws := want.At(p)
		gc, gs := got.At(p)
		if !slices.Equal(wc, gc) || !slices.Equal(ws, gs) {
			t.Fatalf("position %d: %v, %v, want %v, %v", p, gc, gs, wc, ws)
		}
	}
	if wc, _ := want.At(2); !slices.Equal(early, wc) {
		t.Error("growing changed what was there")
	}
}
