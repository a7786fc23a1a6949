package floats

import (
	"encoding/binary"
	"math"
)

// EncodeF32 fills b with the values x.
func EncodeF32(b []byte, x []float32) {
	if LittleEndian {
		copy(b[:4*len(x)], Bytes(x))
		return
	}
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
}

// EncodeF16 fills b with the values x as halves.
func EncodeF16(b []byte, x []float32) {
	for i, v := range x {
		binary.LittleEndian.PutUint16(b[2*i:], ToF16(v))
	}
}

// EncodeBF16 fills b with the values x as bfloat16.
func EncodeBF16(b []byte, x []float32) {
	for i, v := range x {
		binary.LittleEndian.PutUint16(b[2*i:], ToBF16(v))
	}
}
