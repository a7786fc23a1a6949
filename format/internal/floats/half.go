package floats

import "math"

// FromBF16 returns the value of bfloat16 bits.
func FromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// ToBF16 returns the bits of the nearest bfloat16.
func ToBF16(x float32) uint16 {
	b := math.Float32bits(x)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40 // quiet: rounding could carry a NaN to infinity
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// FromF16 returns the value of the bits of a half. It shifts exponent and fraction into place
// and multiplies by what the two biases differ by, which also makes subnormals right.
func FromF16(h uint16) float32 {
	bits := math.Float32bits(math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112)
	if h&0x7c00 == 0x7c00 { // infinity, NaN
		bits |= 0x7f800000
	}
	return math.Float32frombits(bits | uint32(h&0x8000)<<16)
}

// ToF16 returns the bits of the nearest half; 65520 and above are infinity.
func ToF16(x float32) uint16 {
	b := math.Float32bits(x)
	sign, abs := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case abs > 0x7f800000: // NaN
		return sign | 0x7e00
	case abs >= 0x47800000: // 2^16 and above, which no rounding brings back
		return sign | 0x7c00
	case abs < 0x38800000: // below 2^-14: subnormal, in units of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(abs))*0x1p24))
	}
	return sign | uint16((abs-112<<23+0xfff+abs>>13&1)>>13)
}
