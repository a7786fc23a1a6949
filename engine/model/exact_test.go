package model

import (
	"testing"

	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// TestExact: documents that greedy decoding has written are exact, and with any one token
// changed they are not; tokens without a target do not count.
func TestExact(t *testing.T) {
	t.Parallel()
	m := newModel(t, tiny(true), newExec(t, 2, gemm.Best()), Budget{Tokens: 100, Longest: 16})
	const documents, length = 6, 12
	var written [documents][]int32
	s := servingOf(t, m)
	for d := range written {
		n, tokens := newSession(t, s), []int32{int32(d + 1), int32(3 * d)}
		for next := tokens; len(tokens) < length; {
			at := first(forward(t, s, Step{Session: n, Tokens: next}))
			tokens = append(tokens, int32(at))
			next = tokens[len(tokens)-1:]
		}
		written[d] = tokens
	}
	exact := func(change func(targets []int32)) int {
		b := &Batch{}
		for _, tokens := range written {
			targets := append([]int32{Ignore}, tokens[2:]...)
			change(targets)
			b.Add(tokens[:length-1], targets)
		}
		n, err := m.Exact(b)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := exact(func([]int32) {}); got != documents {
		t.Errorf("%d of %d", got, documents)
	}
	calls := 0
	if got := exact(func(targets []int32) {
		if calls++; calls%2 == 0 {
			targets[calls] = (targets[calls] + 1) % int32(m.Vocab)
		}
	}); got != documents/2 {
		t.Errorf("%d of %d with every second one changed", got, documents)
	}
	if got := exact(func(targets []int32) { targets[0], targets[len(targets)-1] = Ignore, Ignore }); got != documents {
		t.Errorf("%d of %d with fewer targets", got, documents)
	}
	long := &Batch{}
	long.Add(make([]int32, m.Context+1), make([]int32, m.Context+1))
	if _, err := m.Exact(long); err == nil {
		t.Error("a document longer than the model's context")
	}
}

func first(x []float32) int {
	at := 0
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	return at
}
