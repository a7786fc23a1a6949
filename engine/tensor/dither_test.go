package tensor

import (
	"math"
	"slices"
	"testing"
)

// TestDitheredRoundsBack: of every BF16 there is, moved as far as it may be either way, rounding
// gives back the same bits. One farther is a tie, and the odd ones lose it.
func TestDitheredRoundsBack(t *testing.T) {
	t.Parallel()
	moved, lost := 0, 0
	for b := range 1 << 16 {
		u := uint32(b) << 16
		size := u &^ (1 << 31)
		may := size >= 0x01000000 && size < 0x7f800000
		for _, n := range []int32{-32767, -32766, -1, 0, 1, 32766, 32767} {
			got := dithered(u, n)
			if !may && got != u || may && got != u+uint32(n) {
				t.Fatalf("%#08x moved by %d: %#08x", u, n, got)
			}
			if may && ToBF16(math.Float32frombits(got)) != BF16(b) {
				t.Fatalf("%#08x moved by %d does not round back", u, n)
			}
		}
		if may {
			moved++
			for _, n := range []int32{-32768, 32768} {
				if ToBF16(math.Float32frombits(u+uint32(n))) != BF16(b) {
					lost++
				}
			}
		}
	}
	if moved != 2*(0x7f80-0x0100) || lost != moved {
		t.Errorf("%d patterns move, and %d ties are lost", moved, lost)
	}
}

// TestDither: a sample has the mean, the spread and the limits of a uniform distribution; it follows
// from the key and the index alone; what is no BF16 stays.
func TestDither(t *testing.T) {
	t.Parallel()
	const n = 1 << 18
	one := math.Float32bits(1)
	ones := func(n int) []float32 { return slices.Repeat([]float32{1}, n) }
	a, b := ones(n), ones(n)
	Dither(a, 1)
	Dither(b, 2)
	var sum, squares float64
	least, most, same := int64(0), int64(0), 0
	for i, x := range a {
		d := int64(math.Float32bits(x)) - int64(one)
		least, most = min(least, d), max(most, d)
		sum, squares = sum+float64(d), squares+float64(d)*float64(d)
		if x == b[i] {
			same++
		}
	}
	deviation := 65535 / math.Sqrt(12)
	if mean := sum / n; math.Abs(mean) > 5*deviation/math.Sqrt(n) {
		t.Errorf("mean %g", mean)
	}
	if s := math.Sqrt(squares / n); math.Abs(s/deviation-1) > 0.01 {
		t.Errorf("deviation %g, want %g", s, deviation)
	}
	if least < -32767 || most > 32767 || least > -32700 || most < 32700 || same > 30 {
		t.Errorf("from %d to %d, %d alike with another key", least, most, same)
	}
	short := ones(100)
	Dither(short, 1)
	again := slices.Clone(a)
	Dither(again, 1)
	if !slices.Equal(short, a[:100]) || !slices.Equal(again, a) {
		t.Error("it depends on the length, or a second time moves it again")
	}
	stays := []float32{0, float32(math.Copysign(0, -1)), 1.0001, -3.3, 1e-40, 0x1p-126, 0x1.fep-126, float32(math.Inf(1)), float32(math.Inf(-1))}
	got := slices.Clone(stays)
	if Dither(got, 3); !slices.Equal(got, stays) || !math.Signbit(float64(got[1])) {
		t.Errorf("%v became %v", stays, got)
	}
}

// BenchmarkDither tells what a job pays, once.
func BenchmarkDither(b *testing.B) {
	w := slices.Repeat([]float32{1}, 1<<20)
	b.SetBytes(int64(4 * len(w)))
	for b.Loop() {
		for i := range w {
			w[i] = 1
		}
		Dither(w, 1)
	}
}
