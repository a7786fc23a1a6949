package gemm

import "testing"

// TestSpace: matrices of one space lie beside each other, and those that do not fit are
// packed all the same.
func TestSpace(t *testing.T) {
	t.Parallel()
	for _, k := range Kernels() {
		b := Matrix{Rows: 70, Cols: 90, Stride: 90, F32: make([]float32, 70*90)}
		for i := range b.F32 {
			b.F32[i] = float32(i % 11)
		}
		size := PackedBytes(k, 70, 90, false) + PackedBytes(k, 70, 90, true)
		s := NewSpace(size)
		room := len(s.free)
		x, y := s.Pack(nil, k, b), s.PackInt8(nil, k, b)
		if used := 4 * (room - len(s.free)); used != size {
			t.Errorf("%s: %d bytes of the space are used, want %d", k.Name(), used, size)
		}
		s.free = nil
		z := s.Pack(nil, k, b)
		a := Matrix{Rows: 2, Cols: 70, Stride: 70, F32: b.F32}
		want, got, eight := make([]float32, 180), make([]float32, 180), make([]float32, 180)
		Mul(nil, k, want, 90, a, b, false)
		MulPacked(nil, k, got, 90, a, x, false)
		MulPacked(nil, k, eight, 90, a, y, false)
		sameBits(t, "packed in a space", want, got)
		MulPacked(nil, k, got, 90, a, z, false)
		sameBits(t, "packed beside a space", want, got)
		if eight[7] == 0 {
			t.Errorf("%s: weights of eight bits give nothing", k.Name())
		}
	}
}
