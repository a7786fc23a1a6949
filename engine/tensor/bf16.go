package tensor

import "math"

// BF16 is a bfloat16: the upper half of a float32, that is 1 sign, 8 exponent and 7
// fraction bits.
type BF16 uint16

// bf16QuietBit makes a NaN quiet, so that a NaN whose payload lies in the lower half does
// not become an infinity.
const bf16QuietBit = 0x0040

// ToBF16 rounds f to the nearest BF16, ties to even. NaN stays NaN (quiet), values beyond
// the largest BF16 become infinite. Subnormals are kept.
func ToBF16(f float32) BF16 {
	u := math.Float32bits(f)
	if u&0x7fffffff > 0x7f800000 {
		return BF16(u>>16) | bf16QuietBit
	}
	return BF16((u + 0x7fff + (u>>16)&1) >> 16)
}

// Float32 returns b as a float32, exactly.
func (b BF16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }

// ToBF16s rounds src into dst, as ToBF16 does. It panics if the lengths differ.
func ToBF16s(dst []BF16, src []float32) {
	if len(dst) != len(src) {
		panic("tensor: ToBF16s of slices of different length")
	}
	for i, f := range src {
		dst[i] = ToBF16(f)
	}
}

// Float32s widens src into dst. It panics if the lengths differ.
func Float32s(dst []float32, src []BF16) {
	if len(dst) != len(src) {
		panic("tensor: Float32s of slices of different length")
	}
	for i, b := range src {
		dst[i] = b.Float32()
	}
}
