package model

import (
	"fmt"
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// TestDither: with every kernel, for weights that are saved as bfloat16 and for others, Dither moves
// the matrices that are rounded when they are read, and no vector. What is read stays as it was: the
// logits of a bf16 kernel, to the bit, and what Save writes as bfloat16.
func TestDither(t *testing.T) {
	t.Parallel()
	for _, k := range gemm.Kernels() {
		for _, dtype := range []DType{BFloat16, Float32} {
			for _, tied := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/tied %v", k.Name(), dtype, tied), func(t *testing.T) {
					t.Parallel()
					testDither(t, k, dtype, tied)
				})
			}
		}
	}
}

func testDither(t *testing.T, k *gemm.Kernel, dtype DType, tied bool) {
	c := tiny(tied)
	c.DType = dtype
	m := newModel(t, c, newExec(t, 2, k), Budget{Tokens: 32, Longest: 20})
	for _, p := range m.Params() {
		roundBF16(p.W) // as they are when they were loaded from a bfloat16 file
	}
	m.Params()[0].W[3] = 0
	batch := randomBatch(c, 3, 20, 12)
	before, weights := logits(t, m, batch), clonedWeights(m)
	m.Dither(5)
	for i, p := range m.Params() {
		moves := !p.Vector && (dtype == BFloat16 || k.BF16() && (tied || p != m.weights.embed))
		if moved := movedShare(p.W, weights[i]); moves != (moved > 0.95) || !moves && moved > 0 {
			t.Errorf("%s: %.3f of it moved", p.Name, moved)
		}
		if roundBF16(weights[i]); !sameBF16(p.W, weights[i]) {
			t.Errorf("%s does not round back", p.Name)
		}
	}
	if m.Params()[0].W[3] != 0 {
		t.Error("a zero moved")
	}
	// A float32 kernel reads the masters, and so does the look-up of an embedding that is float32 in its file.
	exact := k.BF16() && !(tied && dtype == Float32) || !k.BF16() && dtype == Float32
	if same := slices.Equal(logits(t, m, batch), before); same != exact {
		t.Errorf("the logits are the same: %v", same)
	}
	once := clonedWeights(m)
	if m.Dither(5); !slices.EqualFunc(clonedWeights(m), once, slices.Equal) {
		t.Error("a second time moves them again")
	}
}

// TestDitherLeavesWhatIsFrozen: neither frozen weights move nor adapters.
func TestDitherLeavesWhatIsFrozen(t *testing.T) {
	t.Parallel()
	for _, dtype := range []DType{BFloat16, Float32} {
		c := tiny(true)
		c.DType = dtype
		m := newModel(t, c, newExec(t, 2, gemm.Best()), Budget{Tokens: 32, Longest: 20})
		for _, p := range m.Params() {
			roundBF16(p.W)
		}
		if err := m.AddLoRA(LoRA{Rank: 4, Alpha: 8, Seed: 5}); err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Trainable() {
			roundBF16(p.W)
		}
		all := func() (w [][]float32) {
			for _, p := range slices.Concat(m.Params(), m.Trainable()) {
				x := make([]float32, p.Len())
				p.Float32(x)
				w = append(w, x)
			}
			return w
		}
		before := all()
		if m.Dither(5); !slices.EqualFunc(all(), before, slices.Equal) {
			t.Errorf("%s: something moved", dtype)
		}
	}
}

func logits(t *testing.T, m *Model, b *Batch) []float32 {
	t.Helper()
	y := make([]float32, len(b.Tokens)*m.Vocab)
	if err := m.Logits(y, b); err != nil {
		t.Fatal(err)
	}
	return y
}

func clonedWeights(m *Model) (w [][]float32) {
	for _, p := range m.Params() {
		w = append(w, slices.Clone(p.W))
	}
	return w
}

// movedShare is the share of the elements that differ.
func movedShare(a, b []float32) float64 {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return float64(n) / float64(len(a))
}

func sameBF16(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return tensor.ToBF16(x) == tensor.ToBF16(y) })
}

// TestDitherPositions: rows that are looked up in a table of positions are rounded as they are read,
// too.
func TestDitherPositions(t *testing.T) {
	t.Parallel()
	c := tiny(true)
	c.Family, c.KVHeads, c.DType, c.Theta = "gpt2", c.Heads, BFloat16, 0
	m := newModel(t, c, newExec(t, 2, gemm.Best()), Budget{Tokens: 32, Longest: 20})
	table := m.weights.positions
	roundBF16(table.W)
	before := slices.Clone(table.W)
	if m.Dither(5); movedShare(table.W, before) < 0.95 || !sameBF16(table.W, before) {
		t.Errorf("%.3f of the positions moved, and they round back: %v", movedShare(table.W, before), sameBF16(table.W, before))
	}
}
