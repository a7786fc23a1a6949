package infer

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
)

// TestLongPromptsDoNotStall: while a long prompt is read in pieces, another sequence gets a
// token with every step.
func TestLongPromptsDoNotStall(t *testing.T) {
	t.Parallel()
	const context_ = 1200
	dir := tinyModel(t, context_, letters)
	long, short := ask(dir, strings.Repeat("slate ", 150), 20), ask(dir, "x", 200)
	alone := newEngine(t, Options{Sequences: 1})
	wantLong, wantShort := generate(t, alone, long), generate(t, alone, short)

	e := newEngine(t, Options{})
	var wg sync.WaitGroup
	var steps, mixed int
	watch(t, e, dir, func(ss []model.Step) {
		if steps++; steps == 3 {
			wg.Go(func() {
				if got, err := e.Generate(context.Background(), long, nil); err != nil || !same(got, wantLong) {
					t.Errorf("long: got %+v, %v; want %+v", got, err, wantLong)
				}
			})
			awaitArrived(e, dir, 1)
		}
		rows := 0
		for _, s := range ss {
			rows += len(s.Tokens)
		}
		if rows > stepTokensMax {
			t.Errorf("a step of %d rows", rows)
		}
		if len(ss) == 2 && rows > 2 {
			mixed++
		}
	})
	if got := generate(t, e, short); !same(got, wantShort) {
		t.Errorf("short: got %+v, want %+v", got, wantShort)
	}
	wg.Wait()
	if want := (902 + 254) / 255; mixed != want {
		t.Errorf("%d steps mixed a token with a piece of the prompt, want %d", mixed, want)
	}
}

// awaitArrived holds a step up until n sequences have arrived, which then are in the next.
func awaitArrived(e *Engine, dir string, n int) {
	e.mu.Lock()
	s := e.models[outcrop.ModelID(dir)].scheduler
	e.mu.Unlock()
	for arrived := 0; arrived < n; runtime.Gosched() {
		s.mu.Lock()
		arrived = len(s.arrived)
		s.mu.Unlock()
	}
}

// blocked starts n requests of an engine whose model does not run until release is closed.
func blocked(t *testing.T, opt Options, n int) (e *Engine, dir string, release chan bool, wait func()) {
	t.Helper()
	dir = tinyModel(t, tinyContext, letters)
	e = newEngine(t, opt)
	release = make(chan bool)
	watch(t, e, dir, func([]model.Step) { <-release })
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := e.Generate(context.Background(), ask(dir, "x", 3), nil); err != nil {
				t.Error(err)
			}
		})
	}
	r := inMemory(t, e, dir)
	for len(r.waiting) < n { // until all have arrived
		runtime.Gosched()
	}
	return e, dir, release, wg.Wait
}

// TestIdleModelKeepsNoSession: when its last request has ended, a model that stays loaded holds
// none of the cache that is counted as free again.
func TestIdleModelKeepsNoSession(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{NoReuse: true})
	var session weak.Pointer[model.Session]
	watch(t, e, dir, func(steps []model.Step) { session = weak.Make(steps[0].Session) })
	generate(t, e, ask(dir, "x", 3))
	for end := time.Now().Add(5 * time.Second); session.Value() != nil; runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("the session is still in memory")
		}
	}
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	e, dir, release, wait := blocked(t, Options{Sequences: 2, Waiting: 1}, 3)
	_, err := e.Generate(context.Background(), ask(dir, "x", 3), nil)
	wantCode(t, err, outcrop.CodeThrottling, "2 at once and 1 more")
	close(release)
	wait()
	generate(t, e, ask(dir, "x", 3))
}

func TestWaitingIsGivenUp(t *testing.T) {
	t.Parallel()
	e, dir, release, wait := blocked(t, Options{Sequences: 1, Waiting: 2}, 2)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := e.Generate(ctx, ask(dir, "x", 3), nil)
		done <- err
	}()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("got %v", err)
	}
	close(release)
	wait()
	r := inMemory(t, e, dir)
	if len(r.waiting) != 0 || !r.places.TryAcquire(1) {
		t.Error("the one that gave up has left its place taken")
	}
}

func TestCacheMemory(t *testing.T) {
	t.Parallel()
	const context_ = 300
	dir := tinyModel(t, context_, letters)
	s, err := model.LoadServing(dir, newExec(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	bytes := func(tokens int) int64 { return int64(s.SessionBytes(tokens)) }
	if bytes(1) != bytes(pageTokens) || bytes(pageTokens+1) != 2*bytes(1) {
		t.Fatalf("tokens take no whole pages of %d", pageTokens)
	}
	e := newEngine(t, Options{CacheBytes: bytes(2 * pageTokens)})
	if res := generate(t, e, ask(dir, "x", 2*pageTokens-3)); res.OutputTokens != 2*pageTokens-3 { // 3 more: at the limit
		t.Errorf("got %+v", res)
	}
	_, err = e.Generate(context.Background(), ask(dir, "x", 2*pageTokens-2), nil)
	wantCode(t, err, outcrop.CodeValidation, "129 tokens", "MiB of cache")

	widest := 0
	watch(t, e, dir, func(steps []model.Step) { widest = max(widest, len(steps)) })
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { generate(t, e, ask(dir, "x", 7)) }) // a page each: two fit
	}
	wg.Wait()
	e.Close()
	if widest > 2 {
		t.Errorf("%d caches of half the memory were in use at once", widest)
	}
	if e.cache.free != e.opt.CacheBytes {
		t.Error("some cache memory was not given back")
	}
}
