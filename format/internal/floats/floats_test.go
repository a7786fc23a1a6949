package floats

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// TestHalfRoundTrips goes through every 16-bit pattern: what fits must come back.
func TestHalfRoundTrips(t *testing.T) {
	t.Parallel()
	for i := range 1 << 16 {
		h := uint16(i)
		if x := FromF16(h); x == x && ToF16(x) != h {
			t.Fatalf("f16 %04x -> %g -> %04x", h, x, ToF16(x))
		}
		if x := FromBF16(h); x == x && ToBF16(x) != h {
			t.Fatalf("bf16 %04x -> %g -> %04x", h, x, ToBF16(x))
		}
	}
	nan := math.Float32frombits(0x7f800001)
	if x := FromF16(ToF16(nan)); x == x {
		t.Error("f16 lost a NaN")
	}
	if x := FromBF16(ToBF16(nan)); x == x {
		t.Error("bf16 lost a NaN")
	}
}

func TestHalfRounding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		x         float32
		f16, bf16 float32
	}{
		{1 + 0x1p-11, 1, 1},                  // tie, to even
		{1 + 3*0x1p-11, 1 + 0x1p-9, 1},       // tie, to even, upwards
		{1 + 0x1p-8, 1 + 0x1p-8, 1},          // bf16 tie
		{65519, 65504, 65536},                // last below the rounding limit
		{65520, float32(math.Inf(1)), 65536}, // and at it
		{0x1p-25, 0, 0x1p-25},                // half of the least subnormal: tie to zero
		{0x1.8p-25, 0x1p-24, 0x1.8p-25},      // above it
		{0x1.ffep-15, 0x1p-14, 0x1p-14},      // the largest subnormal rounds up to a normal
	} {
		if got := FromF16(ToF16(c.x)); got != c.f16 {
			t.Errorf("f16(%g) = %g, want %g", c.x, got, c.f16)
		}
		if got := FromBF16(ToBF16(c.x)); got != c.bf16 {
			t.Errorf("bf16(%g) = %g, want %g", c.x, got, c.bf16)
		}
	}
}

// TestDecodeEqualsOneByOne compares the loops over eight bytes with the definition, at every
// remainder and at odd addresses.
func TestDecodeEqualsOneByOne(t *testing.T) {
	t.Parallel()
	b := make([]byte, 2<<16)
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(i))
	}
	for _, x := range []struct {
		name string
		one  func(uint16) float32
		all  func([]float32, []byte)
	}{{"f16", FromF16, DecodeF16}, {"bf16", FromBF16, DecodeBF16}} {
		for n := range 9 {
			part := append(make([]byte, n), b[:len(b)-2*n]...)[n:]
			got := make([]float32, len(part)/2)
			x.all(got, part)
			for i, v := range got {
				if want := x.one(uint16(i)); math.Float32bits(v) != math.Float32bits(want) {
					t.Fatalf("%s %04x is %g, want %g", x.name, i, v, want)
				}
			}
		}
	}
}

// TestF16Values knows the definition's answers.
func TestF16Values(t *testing.T) {
	t.Parallel()
	for h, want := range map[uint16]float32{
		0x0000: 0, 0x0001: 0x1p-24, 0x03ff: 1023 * 0x1p-24, 0x0400: 0x1p-14, 0x3c00: 1, 0x3555: 0.33325195, 0xc000: -2,
		0x7bff: 65504, 0x7c00: float32(math.Inf(1)), 0xfc00: float32(math.Inf(-1)), 0x8001: -0x1p-24,
	} {
		if got := FromF16(h); got != want {
			t.Errorf("%04x is %g, want %g", h, got, want)
		}
	}
	if x := FromF16(0x7e01); x == x {
		t.Errorf("a NaN is %g", x)
	}
	if !math.Signbit(float64(FromF16(0x8000))) {
		t.Error("minus zero lost its sign")
	}
}

// TestEncodeIsWhatDecodeReads: all three types, at a length that is no multiple of anything.
func TestEncodeIsWhatDecodeReads(t *testing.T) {
	t.Parallel()
	want := make([]float32, 37)
	for i := range want {
		want[i] = float32(i-18) / 4
	}
	for name, x := range map[string]struct {
		width  int
		encode func([]byte, []float32)
		decode func([]float32, []byte)
	}{"f32": {4, EncodeF32, DecodeF32}, "f16": {2, EncodeF16, DecodeF16}, "bf16": {2, EncodeBF16, DecodeBF16}} {
		b, got := make([]byte, x.width*len(want)), make([]float32, len(want))
		x.encode(b, want)
		if x.decode(got, b); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
