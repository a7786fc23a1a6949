package tune

import (
	"testing"

	"outcrop.dev/outcrop/train"
)

// TestInterval: eight evaluations when they are cheap, fewer when the validation file is long,
// and always one at the end.
func TestInterval(t *testing.T) {
	t.Parallel()
	set := func(n int) []train.Example {
		examples := make([]train.Example, n)
		for i := range examples {
			examples[i].Tokens = make([]int32, 100)
		}
		return examples
	}
	for _, c := range []struct{ training, validation, epochs, batch, want int }{
		{1600, 10, 1, 1, 200},    // 1,600 steps, eight times
		{5000, 500, 3, 16, 118},  // 939 steps
		{100, 100, 3, 10, 23},    // 30 steps: an evaluation costs a third of an epoch, so one on the way
		{1000, 5000, 1, 10, 100}, // longer than the training itself
		{3, 1, 1, 8, 1},          // one step
		{10, 1, 10, 1, 13},       // 100 steps
		{1000, 200, 2, 10, 45},   // 200 steps: 15 % allow 4.5 evaluations
	} {
		rows := &train.Rows{All: set(c.training), BatchSize: c.batch, Epochs: c.epochs}
		if got := interval(rows, [][]train.Example{set(c.validation)}); got != c.want {
			t.Errorf("%+v: every %d steps", c, got)
		}
	}
}
