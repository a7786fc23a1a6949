package customize

import (
	"errors"
	"testing"
	"time"
)

// TestRateOfAnAttempt: an attempt that goes on from a checkpoint says nothing of its speed and its
// end before it has done a step. What it says then fits the clock. At the end nothing is left,
// also where the training ended early.
func TestRateOfAnAttempt(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	everything(f, &j)
	f.command = func(int) string {
		if f.last().Step >= 8 {
			return "preempt"
		}
		return "run"
	}
	if _, err := Run(t.Context(), f, j, options()); !errors.Is(err, ErrPreempted) {
		t.Fatal(err)
	}
	f.command, f.reports = nil, nil
	o := options()
	start := o.Now()
	p, err := Run(t.Context(), f, j, o)
	if err != nil || p.Step == p.Steps {
		t.Fatalf("%+v, %v", p, err)
	}
	if p.ETASeconds != 0 || p.TokensPerSecond == 0 {
		t.Errorf("%g tokens/s, %g s left at the end", p.TokensPerSecond, p.ETASeconds)
	}
	took := o.Now().Sub(start)
	silent := 0
	for _, p := range f.reports {
		switch known := p.TokensPerSecond > 0; {
		case p.Step < 8: // nothing is loaded yet
		case p.Step == 8 && known, p.Step > 8 && !known:
			t.Errorf("%g tokens/s at step %d", p.TokensPerSecond, p.Step)
		case !known && p.ETASeconds != 0:
			t.Errorf("%g s left at step %d, and no speed", p.ETASeconds, p.Step)
		case !known:
			silent++
		case p.ETASeconds < 0 || p.ETASeconds > float64(p.Steps)*took.Seconds():
			t.Errorf("%v left at step %d of a run of %v", time.Duration(p.ETASeconds)*time.Second, p.Step, took)
		}
	}
	if silent == 0 {
		t.Error("no report came before a step")
	}
}
