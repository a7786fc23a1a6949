package invoke

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"outcrop.dev/outcrop"
)

func newGates() *gates {
	return &gates{byARN: map[outcrop.ARN]*gate{}, running: 2, waiting: 3}
}

// TestGate: two model units let twice as many pass, in order, and nothing is left over.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGates()
		var passed []int
		release := make(chan bool)
		for i := range 10 { // 2 units: 4 run, 6 wait
			go func() {
				leave, err := g.enter(context.Background(), "a", 2)
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				passed = append(passed, i)
				<-release
			}()
			synctest.Wait()
		}
		if len(passed) != 4 {
			t.Errorf("%d run at once, want 4", len(passed))
		}
		_, err := g.enter(context.Background(), "a", 2)
		if outcrop.CodeOf(err) != outcrop.CodeThrottling {
			t.Errorf("the eleventh: %v", err)
		}
		for range 10 {
			release <- true
			synctest.Wait()
		}
		if !slices.IsSorted(passed) || len(passed) != 10 {
			t.Errorf("passed in the order %v", passed)
		}
		if len(g.byARN) != 0 {
			t.Errorf("left over: %v", g.byARN)
		}
	})
}

func TestGateIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGates()
		g.running = 1
		leave, err := g.enter(context.Background(), "a", 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { _, err := g.enter(ctx, "a", 1); ended <- err }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("got %v", err)
		}
		leave()
		if len(g.byARN) != 0 {
			t.Errorf("left over: %v", g.byARN)
		}
	})
}

// TestGateTurnOfOneThatGaveUp: the turn and the end of the context come together.
func TestGateTurnOfOneThatGaveUp(t *testing.T) {
	t.Parallel()
	g := newGates()
	g.running = 1
	first, _ := g.line("a", 1)
	<-first
	second, _ := g.line("a", 1)
	third, _ := g.line("a", 1)
	g.leave("a") // it is the second's turn, which gives up
	<-second
	g.giveUp("a", second)
	select {
	case <-third:
	default:
		t.Error("the turn was lost")
	}
	g.leave("a")
	if len(g.byARN) != 0 {
		t.Errorf("left over: %v", g.byARN)
	}
}
