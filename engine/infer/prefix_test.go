package infer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
)

const longContext = 600

// talk is a conversation of so many turns, the last of which is asked; the answers are those that
// e gives.
func talk(t testing.TB, e *Engine, req outcrop.GenerateRequest, turns int) (results []outcrop.GenerateResult) {
	t.Helper()
	req.TopK = 10 // letters only, whose text becomes the same tokens again
	req.Messages = []outcrop.Message{outcrop.Text(outcrop.RoleSystem, strings.Repeat("You know rocks. ", 5))}
	for i := range turns {
		req.Messages = append(req.Messages, outcrop.Text(outcrop.RoleUser, fmt.Sprint("And what of number ", i, "?")))
		res := generate(t, e, req)
		results = append(results, res)
		req.Messages = append(req.Messages, outcrop.Text(outcrop.RoleAssistant, res.Text))
	}
	return results
}

// sampled is a request of a tenant that draws its answer.
func sampled(dir, tenant string, tokens int) outcrop.GenerateRequest {
	seed := uint64(5)
	req := ask(dir, "", tokens)
	req.Tenant, req.Temperature, req.Seed, req.Logprobs = tenant, 1, &seed, 2
	return req
}

// TestReuse: each turn of a conversation reads only what is new in it, and is answered with the
// same bits, logprobs included, as if it had read everything.
func TestReuse(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, longContext, letters)
	with, without := newEngine(t, Options{}), newEngine(t, Options{NoReuse: true})
	read := 0
	watch(t, with, dir, func(steps []model.Step) { read += len(steps[0].Tokens) })
	got, want := talk(t, with, sampled(dir, "a", 20), 5), talk(t, without, sampled(dir, "a", 20), 5)
	computed := 0
	for i := range got {
		// Of the answer before, the last token has not been read, and turns end and begin.
		if i > 0 && got[i].ReusedTokens != got[i-1].InputTokens+19 {
			t.Errorf("turn %d: %d tokens reused after %d and 20", i, got[i].ReusedTokens, got[i-1].InputTokens)
		}
		computed += got[i].InputTokens - got[i].ReusedTokens + 19
		got[i].ReusedTokens = 0
		if !same(got[i], want[i]) {
			t.Errorf("turn %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
	if read != computed {
		t.Errorf("%d tokens were read, %d were to be", read, computed)
	}
	if n := len(with.cache.kept); n != 1 {
		t.Errorf("%d beginnings of one conversation are kept", n)
	}
	if n := len(without.cache.kept); n != 0 {
		t.Errorf("%d beginnings are kept without reuse", n)
	}
}

// TestReuseIsIsolated: nothing passes from one tenant to another, from one model or adapter to
// another, or to and from nobody.
func TestReuseIsIsolated(t *testing.T) {
	t.Parallel()
	base := tinyModel(t, longContext, letters)
	models := []outcrop.ModelFiles{filesIn(base), tinyAdapters(t, base, 1), tinyAdapters(t, base, 2)}
	e, plain := newEngine(t, Options{}), newEngine(t, Options{NoReuse: true})
	for round := range 2 {
		for _, tenant := range []string{"a", "b", ""} {
			for i, m := range models {
				req := sampled("", tenant, 20)
				req.Model, req.Messages = m, []outcrop.Message{outcrop.Text(outcrop.RoleUser, strings.Repeat("schist ", 10))}
				got, want := generate(t, e, req), generate(t, plain, req)
				reused := round > 0 && tenant != ""
				if n := got.ReusedTokens; n != 0 && !reused || n != got.InputTokens-1 && reused {
					t.Errorf("round %d, tenant %q, model %d: %d of %d tokens reused", round, tenant, i, n, got.InputTokens)
				}
				if got.ReusedTokens = 0; !same(got, want) {
					t.Errorf("round %d, tenant %q, model %d: got %+v, want %+v", round, tenant, i, got, want)
				}
			}
		}
	}
}

// TestReuseTogether: requests of several tenants and adapters that run at the same time, some going
// on from the same beginning, draw what each draws alone.
func TestReuseTogether(t *testing.T) {
	t.Parallel()
	base := tinyModel(t, longContext, nil)
	models := []outcrop.ModelFiles{filesIn(base), tinyAdapters(t, base, 1), tinyAdapters(t, base, 2)}
	var reqs []outcrop.GenerateRequest
	for i := range 24 {
		req, seed := sampled("", fmt.Sprint("tenant", i%2), 3+2*i), uint64(i)
		req.Model, req.Seed, req.TopK, req.Logprobs = models[i%3], &seed, i%4*10, i%3
		req.TopK = 10 // letters only, whose text becomes the same tokens again
		req.Messages = []outcrop.Message{outcrop.Text(outcrop.RoleSystem, strings.Repeat("gneiss ", 12)), outcrop.Text(outcrop.RoleUser, fmt.Sprint("question ", i))}
		reqs = append(reqs, req)
	}
	alone, e := newEngine(t, Options{NoReuse: true, Sequences: 1}), newEngine(t, Options{})
	var mu sync.Mutex
	reused := 0
	for range 2 {
		var wg sync.WaitGroup
		for i, req := range reqs {
			want := generate(t, alone, req)
			wg.Go(func() {
				got, err := e.Generate(context.Background(), req, nil)
				mu.Lock()
				reused += got.ReusedTokens
				mu.Unlock()
				if got.ReusedTokens = 0; err != nil || !same(got, want) {
					t.Errorf("request %d: got %+v, %v; want %+v", i, got, err, want)
				}
			})
		}
		wg.Wait()
	}
	if reused == 0 {
		t.Error("nothing was reused")
	}
}

// TestReuseGivesWay: what is kept never keeps a request waiting, goes in the order of its last use,
// and is counted within the memory that there is.
func TestReuseGivesWay(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, longContext, letters)
	s, err := model.LoadServing(dir, newExec(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	pages := func(n int) int64 { return int64(s.SessionBytes(n * pageTokens)) }
	e := newEngine(t, Options{CacheBytes: pages(4)})
	say := func(what string, tokens int) outcrop.GenerateResult {
		req := ask(dir, strings.Repeat(what, 30), tokens)
		req.Tenant = "a"
		return generate(t, e, req)
	}
	for _, what := range []string{"a", "b", "c"} {
		say(what, 10) // a page each
	}
	if res := say("a", 10); res.ReusedTokens == 0 {
		t.Error("what fits beside the request was dropped")
	}
	if e.cache.free != pages(1) || e.cache.keptBytes != pages(3) {
		t.Errorf("%d bytes free and %d kept, of pages of %d", e.cache.free, e.cache.keptBytes, pages(1))
	}
	say("d", 3*pageTokens-40) // three pages: b and c go, and one of them would not do
	if say("a", 10).ReusedTokens == 0 {
		t.Error("what was used last was dropped")
	}
	say("e", 4*pageTokens-32) // all there is
	if len(e.cache.kept) != 1 || e.cache.free+e.cache.keptBytes != pages(4) {
		t.Errorf("%d kept of %d bytes, %d free", len(e.cache.kept), e.cache.keptBytes, e.cache.free)
	}
	e.Close()
	if e.cache.free != pages(4) || len(e.cache.kept) != 0 {
		t.Error("what was read stays when its model has left")
	}
}

// TestReuseAtItsLimits: a beginning of prefixTokensMin tokens is reused and a shorter one is not;
// prefixesMax are kept.
func TestReuseAtItsLimits(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{})
	say := func(prompt string) int {
		req := ask(dir, prompt, 1)
		req.Tenant = "a"
		return generate(t, e, req).ReusedTokens
	}
	const bos = 1
	say(strings.Repeat("x", 40))
	for n, want := range map[int]int{prefixTokensMin - bos - 1: 0, prefixTokensMin - bos: prefixTokensMin} {
		if got := say(strings.Repeat("x", n) + fmt.Sprint("y", n)); got != want {
			t.Errorf("a prompt that begins with %d tokens alike reuses %d, want %d", n+bos, got, want)
		}
	}
	for i := range prefixesMax + 2 {
		say(fmt.Sprintf("%04d %s", i, strings.Repeat("z", prefixTokensMin)))
	}
	if n := len(e.cache.kept); n != prefixesMax {
		t.Errorf("%d beginnings are kept, want %d", n, prefixesMax)
	}
}

// TestReuseExpires: what nobody has used for Options.Keep is forgotten.
func TestReuseExpires(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	ts := &timers{}
	e := newEngine(t, Options{AfterFunc: ts.after, Keep: time.Hour})
	if err := e.Load(context.Background(), filesIn(dir)); err != nil {
		t.Fatal(err)
	}
	req := ask(dir, strings.Repeat("x", 40), 3)
	req.Tenant = "a"
	generate(t, e, req)
	if generate(t, e, req).ReusedTokens == 0 {
		t.Error("nothing was reused")
	}
	tm, running := ts.last()
	if running != 1 || tm.d != time.Hour {
		t.Fatalf("%d timers run, the last for %v", running, tm.d)
	}
	tm.f()
	if len(e.cache.kept) != 0 || generate(t, e, req).ReusedTokens != 0 {
		t.Error("it is still there")
	}
}

// TestReuseAfterFailures: what a request has read is kept when it is given up, and not when the
// model has failed in the middle of it.
func TestReuseAfterFailures(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	steps := 0
	watch(t, e, dir, func([]model.Step) {
		switch steps++; steps {
		case 2:
			panic("a bug")
		case 5:
			cancel()
		}
	})
	req := ask(dir, strings.Repeat("x", 40), 10)
	req.Tenant = "a"
	if _, err := e.Generate(ctx, req, nil); err == nil || len(e.cache.kept) != 0 {
		t.Fatalf("%v, and %d beginnings kept", err, len(e.cache.kept))
	}
	if _, err := e.Generate(ctx, req, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if res := generate(t, e, req); res.ReusedTokens != res.InputTokens-1 {
		t.Errorf("%d of %d tokens reused", res.ReusedTokens, res.InputTokens)
	}
}
