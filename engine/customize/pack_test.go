package customize

import (
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/train"
)

// counting returns an example of n tokens that count from at, each with the next as target.
func counting(at, n int32) (e train.Example) {
	for i := range n {
		e.Tokens, e.Targets = append(e.Tokens, at+i), append(e.Targets, at+i+1)
	}
	return e
}

// TestSplitLosesNoTarget cuts at, below and above the limit.
func TestSplitLosesNoTarget(t *testing.T) {
	t.Parallel()
	for n := int32(1); n < 20; n++ {
		pieces := split([]train.Example{counting(0, n), counting(100, 3)}, 5)
		var tokens, targets []int32
		for _, p := range pieces {
			if len(p.Tokens) == 0 || len(p.Tokens) > 5 || len(p.Tokens) != len(p.Targets) {
				t.Fatalf("%d tokens: piece %v", n, p)
			}
			tokens, targets = append(tokens, p.Tokens...), append(targets, p.Targets...)
		}
		want := counting(0, n)
		if !slices.Equal(tokens[:n], want.Tokens) || !slices.Equal(targets[:n], want.Targets) || len(tokens) != int(n)+3 {
			t.Errorf("%d tokens: %v", n, pieces)
		}
	}
}

func TestPack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lengths []int32
		want    []int // ends, in pieces
	}{
		{nil, nil},
		{[]int32{5}, []int{1}},
		{[]int32{2, 3}, []int{2}},
		{[]int32{2, 4}, []int{1, 2}},
		{[]int32{5, 5, 1, 1, 3}, []int{1, 2, 5}},
		{[]int32{12}, []int{1, 2, 3}},
		{[]int32{12, 3, 1}, []int{1, 2, 4, 5}}, // the last piece of the long one has company
	} {
		var all []train.Example
		var p datacheck.Packer
		for _, n := range c.lengths {
			all = append(all, counting(0, n))
			p.Add(int(n), 5)
		}
		pieces := split(all, 5)
		if got := pack(pieces, 5); !slices.Equal(got, c.want) || p.Rows != len(c.want) {
			t.Errorf("%v: rows end at %v, want %v; the packer counts %d", c.lengths, got, c.want, p.Rows)
		}
	}
}
