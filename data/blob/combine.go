package blob

import (
	"encoding/binary"
	"hash/crc32"
)

// combineAll returns the CRC of the parts put together, from the CRC of each.
func combineAll(a Algorithm, sums [][]byte, parts []Part) []byte {
	var crc uint64
	for i, sum := range sums {
		crc = combine(a, crc, bigEndian(sum), parts[i].Size)
	}
	out := binary.BigEndian.AppendUint64(nil, crc)
	return out[8-a.Size():]
}

func bigEndian(b []byte) uint64 {
	var v uint64
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return v
}

// combine returns crc(AB) from crc(A), crc(B) and the length of B. Appending n zero bytes
// to A multiplies its CRC, a polynomial over GF(2), by x^(8n); the initial and final
// inversions cancel out. This is zlib's crc32_combine for any reflected polynomial.
func combine(a Algorithm, crcA, crcB uint64, lengthB int64) uint64 {
	poly, bits := polynomial(a)
	// power is x^(8·2^k) in turn; a bit-reflected polynomial has x^0 in its highest bit.
	power := uint64(1) << (bits - 1 - 8)
	for n := uint64(lengthB); n > 0; n >>= 1 {
		if n&1 == 1 {
			crcA = multiply(poly, bits, crcA, power)
		}
		power = multiply(poly, bits, power, power)
	}
	return crcA ^ crcB
}

func polynomial(a Algorithm) (poly uint64, bits int) {
	switch a {
	case CRC32:
		return crc32.IEEE, 32
	case CRC32C:
		return crc32.Castagnoli, 32
	}
	return polyCRC64NVME, 64
}

// multiply returns a·b modulo poly, all bit-reflected.
func multiply(poly uint64, bits int, a, b uint64) uint64 {
	var product uint64
	for mask := uint64(1) << (bits - 1); mask != 0; mask >>= 1 {
		if a&mask != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= poly
		}
	}
	return product
}
