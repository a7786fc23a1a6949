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

// TestPackedRows: a step takes whole packs, whose documents stay apart, each of them once an
// epoch.
func TestPackedRows(t *testing.T) {
	t.Parallel()
	pieces := []Example{counting(0, 3), counting(10, 2), counting(20, 5), counting(30, 1), counting(40, 1), counting(50, 1)}
	r := &Rows{All: pieces, Packs: []int{2, 3, 6}, BatchSize: 2, Epochs: 3, Seed: 4}
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
