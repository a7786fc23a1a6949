package safetensors

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// littleEndian says that this machine lays numbers out as the format does.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// decodeFloat32 converts the elements in b, exactly. The loops take eight bytes at a time:
// they must be faster than memory, or loading a model would be bound by them (BenchmarkRead).
func decodeFloat32(dst []float32, dtype DType, b []byte) {
	switch dtype {
	case F32:
		decodeF32(dst[:len(b)/4], b)
	case BF16:
		decodeBF16(dst[:len(b)/2], b)
	case F16:
		for i := range dst[:len(b)/2] {
			dst[i] = fromF16(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}
}

func decodeF32(dst []float32, b []byte) {
	if littleEndian {
		copy(floatBytes(dst), b)
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// floatBytes returns the memory of x.
func floatBytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

func decodeBF16(dst []float32, b []byte) {
	const lanes = 16 // a cache line of float32
	i := 0
	for d := floatBytes(dst); littleEndian && i+lanes <= len(dst); i += lanes {
		d, s := (*[4 * lanes]byte)(d[4*i:]), (*[2 * lanes]byte)(b[2*i:])
		for j := 0; j < lanes; j += 4 {
			w := binary.LittleEndian.Uint64(s[2*j:])
			binary.LittleEndian.PutUint64(d[4*j:], widen(uint32(w)))
			binary.LittleEndian.PutUint64(d[4*j+8:], widen(uint32(w>>32)))
		}
	}
	for ; i < len(dst); i++ {
		dst[i] = fromBF16(binary.LittleEndian.Uint16(b[2*i:]))
	}
}

// widen puts two bfloat16 into the upper halves of two float32.
func widen(w uint32) uint64 { return uint64(w)<<16&0xffff0000 | uint64(w>>16)<<48 }

// copyBits copies 16-bit elements as they are.
func copyBits[T ~uint16](dst []T, b []byte) {
	for i := range len(b) / 2 {
		dst[i] = T(binary.LittleEndian.Uint16(b[2*i:]))
	}
}
