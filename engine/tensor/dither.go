package tensor

import "math"

const (
	// ditherMost is the farthest that a bit pattern is moved: one less than half a cell of BF16's
	// grid, so that no tie is made and none decides.
	ditherMost = 1<<15 - 1
	// ditherLow is the bit pattern of the least number that is moved, 2⁻¹²⁵, the second normal
	// exponent: below the first are subnormals, which kernels round to zero. A step of training passes the
	// cells of smaller numbers, and of zero, anyway.
	ditherLow = 0x01000000
)

// Dither moves each element of w that is a BF16 exactly to a random place within the cell that
// rounds to it: ToBF16 of every element is what it was. Where depends on key and the element's
// index alone. Zeros, numbers below 2⁻¹²⁵, infinities and NaN stay, and so does what is no BF16.
func Dither(w []float32, key uint64) {
	for i, x := range w {
		n := Mix(key+uint64(i)) >> 32 * (2*ditherMost + 1) >> 32 // from 0 to 2·ditherMost
		w[i] = math.Float32frombits(dithered(math.Float32bits(x), int32(n)-ditherMost))
	}
}

// dithered moves the bit pattern u by n, at most ditherMost up or down, if it may be moved.
func dithered(u uint32, n int32) uint32 {
	size := u &^ (1 << 31)
	if size&0xffff != 0 || size < ditherLow || size >= 0x7f800000 {
		return u
	}
	return u + uint32(n)
}
