package floats

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// LittleEndian says that this machine lays numbers out as the format does.
var LittleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// DecodeF32 fills dst with the float32 in b.
func DecodeF32(dst []float32, b []byte) {
	if LittleEndian {
		copy(Bytes(dst), b[:4*len(dst)])
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// Bytes returns the memory of x, which is the encoding of float32 if LittleEndian.
func Bytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// DecodeF16 fills dst with the halves in b.
func DecodeF16(dst []float32, b []byte) {
	for i := range dst {
		dst[i] = FromF16(binary.LittleEndian.Uint16(b[2*i:]))
	}
}

// DecodeBF16 fills dst with the bfloat16 in b. The loop takes eight bytes at a time: it must
// keep up with memory, or loading a model would be bound by it (safetensors.BenchmarkRead).
func DecodeBF16(dst []float32, b []byte) {
	const lanes = 16 // a cache line of float32
	i := 0
	for d := Bytes(dst); LittleEndian && i+lanes <= len(dst); i += lanes {
		d, s := (*[4 * lanes]byte)(d[4*i:]), (*[2 * lanes]byte)(b[2*i:])
		for j := 0; j < lanes; j += 4 {
			w := binary.LittleEndian.Uint64(s[2*j:])
			binary.LittleEndian.PutUint64(d[4*j:], widen(uint32(w)))
			binary.LittleEndian.PutUint64(d[4*j+8:], widen(uint32(w>>32)))
		}
	}
	for ; i < len(dst); i++ {
		dst[i] = FromBF16(binary.LittleEndian.Uint16(b[2*i:]))
	}
}

// widen puts two bfloat16 into the upper halves of two float32.
func widen(w uint32) uint64 { return uint64(w)<<16&0xffff0000 | uint64(w>>16)<<48 }
