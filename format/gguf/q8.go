package gguf

import (
	"encoding/binary"
	"math"

	"outcrop.dev/outcrop/format/internal/floats"
)

// encodeQ8 fills b with blocks of 32 values: q = round(x/d) with d = max|x|/127, halves away
// from zero, as ggml's quantize_row_q8_0_ref does. It divides by d before d is rounded to a
// half. A block's error is at most d/2 plus the rounding of d.
func encodeQ8(b []byte, x []float32) {
	for ; len(x) > 0; x, b = x[q8Block:], b[q8Bytes:] {
		largest := float32(0)
		for _, v := range x[:q8Block] {
			largest = max(largest, float32(math.Abs(float64(v))))
		}
		d, inverse := largest/127, float32(0)
		if d > 0 {
			inverse = 1 / d
		}
		binary.LittleEndian.PutUint16(b, floats.ToF16(d))
		for i, v := range x[:q8Block] {
			b[2+i] = byte(int8(math.Round(float64(v * inverse))))
		}
	}
}

func decodeQ8(dst []float32, b []byte) {
	for ; len(dst) > 0; dst, b = dst[q8Block:], b[q8Bytes:] {
		d := floats.FromF16(binary.LittleEndian.Uint16(b))
		for i := range q8Block {
			dst[i] = d * float32(int8(b[2+i]))
		}
	}
}
