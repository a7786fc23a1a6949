package gemm

import (
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
)

// TestPackIn: matrices in an arena take what was said, and are those in Go's heap.
func TestPackIn(t *testing.T) {
	t.Parallel()
	for _, k := range Kernels() {
		b := Matrix{Rows: 70, Cols: 90, Stride: 90, F32: make([]float32, 70*90)}
		for i := range b.F32 {
			b.F32[i] = float32(i % 11)
		}
		size := PackedBytes(k, 70, 90, false) + PackedBytes(k, 70, 90, true)
		arena, err := tensor.NewArena(size)
		if err != nil {
			t.Fatal(err)
		}
		x, y := PackIn(arena, nil, k, b), PackInt8In(arena, nil, k, b)
		if used := x.Bytes() + y.Bytes(); used > size || used < size-2*cacheLine {
			t.Errorf("%s: %d bytes of the space are used, want %d", k.Name(), used, size)
		}
		z := Pack(nil, k, b)
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
		if err := arena.Close(); err != nil {
			t.Error(err)
		}
	}
}
