package infer

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
)

// inMemory returns the model in dir, nil if it is not in memory.
func inMemory(t testing.TB, e *Engine, dir string) *resident {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.models[outcrop.ModelID(dir)]
}

func TestOneLoadForAll(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	e := newEngine(t, Options{})
	var mu sync.Mutex
	seen := map[*resident]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, err := e.acquire(context.Background(), filesIn(dir))
			if err != nil {
				t.Error(err)
				return
			}
			defer e.release(r)
			mu.Lock()
			defer mu.Unlock()
			seen[r] = true
		})
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("the model was loaded %d times", len(seen))
	}
}

func TestLoadFails(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	e := newEngine(t, Options{})
	weights := filepath.Join(dir, model.WeightsFile)
	if err := os.Rename(weights, weights+".away"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, e.Load(context.Background(), filesIn(dir)), outcrop.CodeModelError, "cannot be loaded")
	_, err := e.Generate(context.Background(), ask(dir, "x", 5), nil)
	wantCode(t, err, outcrop.CodeModelError)
	if err := os.Rename(weights+".away", weights); err != nil {
		t.Fatal(err)
	}
	generate(t, e, ask(dir, "x", 5)) // the next request tries again

	for _, file := range []string{"tokenizer.json", "config.json"} {
		bad := tinyModel(t, tinyContext, nil)
		if err := os.WriteFile(filepath.Join(bad, file), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantCode(t, e.Load(context.Background(), filesIn(bad)), outcrop.CodeModelError)
	}
}

// TestLoadVocabulary: a special token may lie beyond the embedding, but nothing that text becomes.
func TestLoadVocabulary(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{})
	load := func(vocab int) error {
		dir := saveModel(t, model.Config{
			Family: "llama", Hidden: 16, FFN: 24, Layers: 1, Heads: 2, KVHeads: 1, HeadSize: 8, Vocab: vocab,
			Context: 32, NormEps: 1e-5, Theta: 10000, DType: model.Float32,
		}, func(*nn.Param) {})
		writeTokenizer(t, dir) // 256 bytes, and four special tokens
		return e.Load(context.Background(), filesIn(dir))
	}
	if err := load(259); err != nil {
		t.Error(err)
	}
	wantCode(t, load(255), outcrop.CodeModelError, "256 ids of text")
}

func TestLoadGivenUp(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := tinyModel(t, tinyContext, nil)
	if err := e.Load(ctx, filesIn(dir)); err != context.Canceled && err != nil {
		t.Errorf("got %v", err)
	}
	generate(t, e, ask(dir, "x", 5))
}

func TestUnload(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	e := newEngine(t, Options{})
	for range 2 {
		if err := e.Load(context.Background(), filesIn(dir)); err != nil {
			t.Fatal(err)
		}
	}
	e.Unload(outcrop.ModelID(dir))
	r := inMemory(t, e, dir)
	if r == nil {
		t.Fatal("one Unload undid two Loads")
	}
	e.Unload(outcrop.ModelID(dir))
	if inMemory(t, e, dir) != nil {
		t.Error("the model is still there")
	}
	<-r.scheduler.ended
	e.Unload(outcrop.ModelID(dir)) // does nothing
	e.Unload("/nowhere")
	if generate(t, e, ask(dir, "x", 3)); inMemory(t, e, dir) == r {
		t.Error("an unloaded model came back")
	}
}

func TestUnloadWhileRunning(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{})
	want := generate(t, newEngine(t, Options{}), ask(dir, "x", 20))
	steps := 0
	watch(t, e, dir, func([]model.Step) {
		if steps++; steps == 3 {
			e.Unload(outcrop.ModelID(dir))
		}
	})
	r := inMemory(t, e, dir)
	if got := generate(t, e, ask(dir, "x", 20)); !same(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if inMemory(t, e, dir) != nil {
		t.Error("the model is still there after its last request")
	}
	<-r.scheduler.ended
}

// timers is an AfterFunc whose time the test decides.
type timers struct {
	mu  sync.Mutex
	set []*timer
}

type timer struct {
	d       time.Duration
	f       func()
	stopped bool
}

func (ts *timers) after(d time.Duration, f func()) func() bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	tm := &timer{d: d, f: f}
	ts.set = append(ts.set, tm)
	return func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		tm.stopped = true
		return true
	}
}

// last returns the timer that was set last, and how many are not stopped.
func (ts *timers) last() (last *timer, running int) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, tm := range ts.set {
		if last = tm; !tm.stopped {
			running++
		}
	}
	return last, running
}

func TestIdleModelsLeave(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	ts := &timers{}
	e := newEngine(t, Options{AfterFunc: ts.after, Keep: time.Hour})
	generate(t, e, ask(dir, "x", 3))
	early, _ := ts.last()
	generate(t, e, ask(dir, "x", 3))
	early.f() // fires although it was stopped: the model has been used since
	if inMemory(t, e, dir) == nil {
		t.Fatal("a stale timer unloaded the model")
	}
	tm, running := ts.last()
	if running != 1 || tm.d != time.Hour {
		t.Fatalf("%d timers run, the last for %v", running, tm.d)
	}
	if err := e.Load(context.Background(), filesIn(dir)); err != nil {
		t.Fatal(err)
	}
	if tm.f(); inMemory(t, e, dir) == nil {
		t.Fatal("a model that was loaded on purpose left")
	}
	e.Unload(outcrop.ModelID(dir))
	generate(t, e, ask(dir, "x", 3))
	r := inMemory(t, e, dir)
	tm, _ = ts.last()
	if tm.f(); inMemory(t, e, dir) != nil {
		t.Error("an idle model stays")
	}
	<-r.scheduler.ended
}

func TestClose(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	e := newEngine(t, Options{})
	if err := e.Load(context.Background(), filesIn(dir)); err != nil {
		t.Fatal(err)
	}
	e.Close()
	_, err := e.Generate(context.Background(), ask(dir, "x", 3), nil)
	wantCode(t, err, outcrop.CodeServiceUnavailable)
}

// TestCloseDuringLoad: a Load that has its model when the engine is closed keeps nothing there.
func TestCloseDuringLoad(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	e := newEngine(t, Options{})
	r, err := e.acquire(context.Background(), filesIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan bool)
	go func() { e.Close(); close(closed) }()
	for { // until it has begun to close
		if _, err := e.acquire(context.Background(), filesIn(dir)); err != nil {
			break
		}
		e.release(r)
	}
	_, err = e.pin(r)
	wantCode(t, err, outcrop.CodeServiceUnavailable)
	e.release(r)
	<-closed
}

// TestReplaced: when another model has come to lie in the directory, requests that come get it,
// and those under way end with the one that they began with.
func TestReplaced(t *testing.T) {
	t.Parallel()
	first, second := tinyModel(t, tinyContext, letters), tinyModel(t, tinyContext, func(name string, w []float32) {
		if letters(name, w); name == "model.embed_tokens.weight" {
			slices.Reverse(w)
		}
	})
	oracle := newEngine(t, Options{})
	was, is := generate(t, oracle, ask(first, "x", 20)), generate(t, oracle, ask(second, "x", 20))
	if was.Text == is.Text {
		t.Fatal("the two models say the same")
	}
	dir := filepath.Join(t.TempDir(), "model")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(first, dir)
	ts := &timers{}
	e := newEngine(t, Options{AfterFunc: ts.after})
	if err := e.Load(context.Background(), filesIn(dir)); err != nil {
		t.Fatal(err)
	}
	old := inMemory(t, e, dir)
	steps := 0
	forward := old.scheduler.forward
	old.scheduler.forward = func(ss []model.Step) ([]float32, error) {
		if steps++; steps == 3 {
			e.Unload(outcrop.ModelID(dir)) // nothing is removed that is served on purpose
			move(dir, dir+".removed")
			if got := inMemory(t, e, dir); got != old {
				t.Error("a model leaves with its files")
			}
			move(second, dir)
			if got := generate(t, e, ask(dir, "x", 20)); !same(got, is) {
				t.Errorf("got %+v, want %+v", got, is)
			}
			if pinned, err := e.pin(old); pinned || err != nil {
				t.Errorf("the model that was replaced is kept: %v, %v", pinned, err)
			}
		}
		return forward(ss)
	}
	if got := generate(t, e, ask(dir, "x", 20)); !same(got, was) {
		t.Errorf("under way: got %+v, want %+v", got, was)
	}
	<-old.scheduler.ended
	if got := generate(t, e, ask(dir, "x", 20)); !same(got, is) {
		t.Errorf("later: got %+v, want %+v", got, is)
	}
}

// TestIDMeansOtherFiles: an id goes by its files. Where another model has come to lie elsewhere
// under an id, that one is served, also if the first was held by a Load, which holds the other from
// then on.
func TestIDMeansOtherFiles(t *testing.T) {
	t.Parallel()
	first, second := tinyModel(t, tinyContext, letters), tinyModel(t, tinyContext, func(name string, w []float32) {
		if letters(name, w); name == "model.embed_tokens.weight" {
			slices.Reverse(w)
		}
	})
	oracle := newEngine(t, Options{})
	is := generate(t, oracle, ask(second, "x", 20))
	e := newEngine(t, Options{})
	at := func(dir string) outcrop.GenerateRequest {
		req := ask(dir, "x", 20)
		req.Model.ID = "acme.x"
		return req
	}
	if err := e.Load(context.Background(), at(first).Model); err != nil {
		t.Fatal(err)
	}
	old := inMemory(t, e, "acme.x")
	if got := generate(t, e, at(second)); !same(got, is) {
		t.Fatalf("got %+v, want %+v", got, is)
	}
	<-old.scheduler.ended
	now := inMemory(t, e, "acme.x")
	if now.pins != 1 {
		t.Errorf("%d Loads hold the new model", now.pins)
	}
	e.Unload("acme.x")
	<-now.scheduler.ended
	if inMemory(t, e, "acme.x") != nil {
		t.Error("the model is still there")
	}
	if err := e.Load(context.Background(), at(first).Model); err != nil {
		t.Fatal(err)
	}
	_, err := e.Generate(context.Background(), at(t.TempDir()), nil)
	wantCode(t, err, outcrop.CodeModelError)
	e.Unload("acme.x") // what it held is gone
	if got := generate(t, e, at(second)); !same(got, is) {
		t.Errorf("after a failure: got %+v, want %+v", got, is)
	}
}
