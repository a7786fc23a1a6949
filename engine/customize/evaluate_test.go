package customize

import (
	"fmt"
	"math"
	"testing"

	"outcrop.dev/outcrop"
)

// losses makes the evaluations of a run, the base model's first.
func losses(all ...float64) (es []evaluation) {
	for i, loss := range all {
		es = append(es, evaluation{Step: 10 * i, Losses: []float64{loss}, Loss: loss})
	}
	return es
}

func TestEndsEarly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		losses   []evaluation
		patience int
		gain     float64
		want     bool
	}{
		{nil, 1, 0, false},
		{losses(9), 1, 0, false},
		{losses(9, 20), 1, 0, false}, // the base model is nothing to fall short of
		{losses(9, 3, 3), 1, 0, true},
		{losses(9, 3, 3), 2, 0, false},
		{losses(9, 3, 3.1, 3.2), 2, 0, true},
		{losses(9, 3, 3.1, 2.9, 2.95), 2, 0, false},
		{losses(9, 3, 2.999, 2.998), 2, 0.01, true}, // a gain below the threshold is none
		{losses(9, 3, 2.995, 2.98), 2, 0.01, false}, // but small ones add up
		{losses(9, 3, 3, 3, 3), 0, 0, false},        // off
		{losses(9, 3, math.NaN(), 3), 2, 0, true},   // no number is no gain
	} {
		if got := endsEarly(c.losses, c.patience, c.gain); got != c.want {
			t.Errorf("%v with patience %d, threshold %g: %v", c.losses, c.patience, c.gain, got)
		}
	}
}

func TestBest(t *testing.T) {
	t.Parallel()
	exact := func(es []evaluation, shares ...float64) []evaluation {
		for i := range es {
			es[i].Exact = &shares[i]
		}
		return es
	}
	for _, c := range []struct {
		losses []evaluation
		by     outcrop.Selection
		want   int
	}{
		{nil, outcrop.BestValidationLoss, -1},
		{losses(1), outcrop.BestValidationLoss, -1},
		{losses(1, 3, 2, 2, 4), outcrop.BestValidationLoss, 2}, // not the base model, and the first of equals
		{losses(1, 3, 2, 2, 4), outcrop.BestLast, 4},
		{exact(losses(9, 3, 2, 4, 5), 1, 0.1, 0.2, 0.4, 0.4), outcrop.BestExactMatch, 3}, // of equals the lower loss
		{exact(losses(9, 3, 2, 5, 4), 1, 0.1, 0.2, 0.4, 0.4), outcrop.BestExactMatch, 4},
	} {
		if got := best(c.losses, c.by); got != c.want {
			t.Errorf("%v by %s: %d, want %d", c.losses, c.by, got, c.want)
		}
	}
}

// TestSchedulesByName: every schedule that a job may name is another one.
func TestSchedulesByName(t *testing.T) {
	t.Parallel()
	seen := map[string]outcrop.Schedule{}
	for _, name := range []outcrop.Schedule{outcrop.ScheduleLinear, outcrop.ScheduleCosine, outcrop.ScheduleConstant, outcrop.ScheduleWSD} {
		s, print := schedule(name, 2, 10), ""
		for step := range 10 {
			print += fmt.Sprintf("%.3f ", s(step))
		}
		if other, ok := seen[print]; ok || print[:12] != "0.500 1.000 " {
			t.Errorf("%s is %s: %s", name, other, print)
		}
		seen[print] = name
	}
}
