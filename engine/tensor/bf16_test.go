package tensor

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestToBF16(t *testing.T) {
	t.Parallel()
	cases := []struct {
		in   uint32
		want BF16
	}{
		{0x00000000, 0x0000},
		{0x80000000, 0x8000},
		{0x3f800000, 0x3f80},
		{0x3f808000, 0x3f80}, // a tie goes to the even side
		{0x3f818000, 0x3f82},
		{0x3f808001, 0x3f81},
		{0x7f7fffff, 0x7f80}, // the largest float32 is beyond the largest BF16
		{0x7f800000, 0x7f80},
		{0xff800000, 0xff80},
		{0x7f800001, 0x7fc0}, // a NaN whose payload is in the lost half
		{0xffc00000, 0xffc0},
		{0x00000001, 0x0000},
		{0x00018000, 0x0002},
	}
	for _, c := range cases {
		if got := ToBF16(math.Float32frombits(c.in)); got != c.want {
			t.Errorf("ToBF16(%#08x) = %#04x, want %#04x", c.in, got, c.want)
		}
	}
}

// TestBF16Nearest: no other BF16 is nearer, and every BF16 survives the round trip.
func TestBF16Nearest(t *testing.T) {
	t.Parallel()
	for b := range 1 << 16 {
		f := BF16(b).Float32()
		if back := ToBF16(f); back != BF16(b) && f == f {
			t.Fatalf("ToBF16(%#04x as float32) = %#04x", b, back)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 100000 {
		f := float32(r.NormFloat64()) * float32(math.Exp2(float64(r.IntN(200)-100)))
		b := ToBF16(f)
		d := math.Abs(float64(b.Float32()) - float64(f))
		for _, n := range []BF16{b - 1, b + 1} {
			if math.Abs(float64(n.Float32())-float64(f)) < d {
				t.Fatalf("ToBF16(%g) = %g, but %g is nearer", f, b.Float32(), n.Float32())
			}
		}
	}
}

func TestBF16Slices(t *testing.T) {
	t.Parallel()
	src := []float32{1, -2.5, 3.14159}
	b, back := make([]BF16, 3), make([]float32, 3)
	ToBF16s(b, src)
	Float32s(back, b)
	for i := range src {
		if b[i] != ToBF16(src[i]) || back[i] != b[i].Float32() {
			t.Errorf("element %d: %#04x, %g", i, b[i], back[i])
		}
	}
}
