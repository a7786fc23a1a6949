package train

import (
	"slices"
	"testing"
)

// counting returns an example of n tokens that count from at, each with the next as target.
func counting(at, n int32) (e Example) {
	for i := range n {
		e.Tokens, e.Targets = append(e.Tokens, at+i), append(e.Targets, at+i+1)
	}
	return e
}

// TestSplitLosesNoTarget cuts at, below and above the limit.
func TestSplitLosesNoTarget(t *testing.T) {
	t.Parallel()
	for n := int32(1); n < 20; n++ {
		pieces := Split([]Example{counting(0, n), counting(100, 3)}, 5)
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
		var all []Example
		var p Packer
		for _, n := range c.lengths {
			all = append(all, counting(0, n))
			p.Add(int(n), 5)
		}
		pieces := Split(all, 5)
		if got := Pack(pieces, 5); !slices.Equal(got, c.want) || p.Rows != len(c.want) {
			t.Errorf("%v: rows end at %v, want %v; the packer counts %d", c.lengths, got, c.want, p.Rows)
		}
	}
}

// TestPackedRows: a step takes whole packs, whose documents stay apart, each of them once an
// epoch.
func TestPackedRows(t *testing.T) {
	t.Parallel()
	pieces := []Example{counting(0, 3), counting(10, 2), counting(20, 5), counting(30, 1), counting(40, 1), counting(50, 1)}
	r := &Rows{All: pieces, Packs: Pack(pieces, 5), BatchSize: 2, Epochs: 3, Seed: 4}
	if r.Count() != 3 || r.StepsPerEpoch() != 2 || r.Steps() != 6 {
		t.Fatalf("%d rows, %d steps", r.Count(), r.Steps())
	}
	for epoch := range 3 {
		var first []int32
		for step := range 2 {
			got := r.Examples(epoch*2 + step)
			tokens := 0
			for _, e := range got {
				first, tokens = append(first, e.Tokens[0]), tokens+len(e.Tokens)
			}
			if tokens > 10 {
				t.Errorf("a step of %d tokens", tokens)
			}
		}
		if slices.Sort(first); !slices.Equal(first, []int32{0, 10, 20, 30, 40, 50}) {
			t.Errorf("epoch %d: %v", epoch, first)
		}
	}
}
