package infer

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"outcrop.dev/outcrop/engine/model"
)

// crowd runs requests that all have arrived before the first step of the model, and returns what
// each step took: the tokens of each sequence, by its session.
func crowd(t *testing.T, e *Engine, dir string, prompts []string, tokens int) (steps []map[*model.Session]int) {
	t.Helper()
	r := (*resident)(nil)
	watch(t, e, dir, func(ss []model.Step) {
		for len(steps) == 0 && arrived(r)+len(ss) < len(prompts) {
			runtime.Gosched()
		}
		took := map[*model.Session]int{}
		for _, s := range ss {
			took[s.Session] = len(s.Tokens)
		}
		steps = append(steps, took)
	})
	r = inMemory(t, e, dir)
	var wg sync.WaitGroup
	for _, p := range prompts {
		wg.Go(func() {
			if _, err := e.Generate(context.Background(), ask(dir, p, tokens), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return steps
}

func arrived(r *resident) int {
	r.scheduler.mu.Lock()
	defer r.scheduler.mu.Unlock()
	return len(r.scheduler.arrived)
}

// TestEveryStreamAdvances: of 32 streams each that has begun to answer gets a token in every step
// until it ends, which is all of its share, whatever prompts are read beside it.
func TestEveryStreamAdvances(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, 1200, letters)
	prompts := make([]string, DefaultSequences)
	for i := range prompts {
		prompts[i] = strings.Repeat("x", 20+i%4*300)
	}
	const tokens = 40
	steps := crowd(t, newEngine(t, Options{}), dir, prompts, tokens)
	answered := map[*model.Session]int{}
	for i, took := range steps {
		for s := range answered {
			if n := took[s]; answered[s] < tokens-1 && n != 1 {
				t.Fatalf("step %d: a stream that has %d tokens gets %d", i, answered[s]+1, n)
			}
		}
		for s, n := range took {
			if n == 1 {
				answered[s]++
			}
		}
	}
	if len(answered) != len(prompts) {
		t.Errorf("%d streams of %d", len(answered), len(prompts))
	}
}

// TestShare: a short prompt does not wait for a long one that came before, nor a long one for any
// number of short ones that come after it.
func TestShare(t *testing.T) {
	t.Parallel()
	s, err := model.LoadServing(tinyModel(t, 5000, nil), newExec(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		room          int
		prompts, want []int
	}{
		{256, []int{1000}, []int{256}},
		{256, []int{100}, []int{100}},
		{256, []int{1000, 50}, []int{206, 50}},
		{256, []int{1000, 500, 50}, []int{128, 78, 50}},
		{256, []int{1000, 100, 100, 100, 100}, []int{128, 100, 28, 0, 0}},
		{256, []int{60, 60, 60, 60, 60}, []int{60, 60, 60, 60, 16}},
		{1, []int{1000, 5}, []int{1, 0}},
		{0, []int{1000}, []int{0}},
		{-3, []int{1000}, []int{0}},
		{256, nil, nil},
	} {
		var all, order []*sequence
		for _, n := range c.prompts {
			session, err := s.NewSession(n)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &sequence{session: session, ids: make([]int32, n)})
		}
		order = append(order, all...)
		share(order, c.room)
		for i, q := range all {
			if q.taken != c.want[i] {
				t.Errorf("room %d, prompts %v: prompt %d gets %d, want %d", c.room, c.prompts, i, q.taken, c.want[i])
			}
		}
	}
}

// TestCancelWhileReading: a request that is given up while its prompt is read ends before the next
// piece of it.
func TestCancelWhileReading(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, 2000, letters)
	e := newEngine(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	read := 0
	watch(t, e, dir, func(steps []model.Step) {
		if read += len(steps[0].Tokens); read == 2*stepTokensMax {
			cancel()
		}
	})
	res, err := e.Generate(ctx, ask(dir, strings.Repeat("x", 1500), 5), nil)
	if !errors.Is(err, context.Canceled) || read != 2*stepTokensMax || res.OutputTokens != 0 {
		t.Errorf("got %+v, %v after %d tokens", res, err, read)
	}
}
