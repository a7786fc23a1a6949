package rope

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestRotate compares with complex multiplication: channel i is the real part, channel
// i+D/2 the imaginary one.
func TestRotate(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for _, d := range []int{2, 6, 16, 30, 32, 64, 80, 128} {
		tab := NewTable(70, d, 10000)
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
