package throughput

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/work"
)

var scope = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}

// world is a supervisor of throughput over a store in memory and an engine that takes loadTime to load,
// in a synctest bubble.
type world struct {
	t      *testing.T
	store  *memory.Store
	engine *fakeEngine
	models map[outcrop.ARN]string
	writes outcrop.Store // what the server writes through
	notify func()
	end    func()
}

const loadTime = 500 * time.Millisecond

func in(t *testing.T, f func(w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memory.New(time.Now), engine: newFakeEngine(),
			models: map[outcrop.ARN]string{"arn:base": "/base", "arn:a": "/a", "arn:b": "/b"}}
		t.Cleanup(func() {
			if w.end != nil {
				w.end()
			}
		})
		f(w)
	})
}

func (w *world) serve() {
	if w.writes == nil {
		w.writes = w.store
	}
	k := New(w.writes, w.engine, func(_ context.Context, arn string) (outcrop.ModelFiles, error) {
		dir, ok := w.models[outcrop.ARN(arn)]
		if !ok {
			return outcrop.ModelFiles{}, outcrop.Errorf(outcrop.CodeNotFound, "The model %s has been deleted.", arn)
		}
		return outcrop.ModelFiles{ID: outcrop.ModelID(dir), Dir: dir}, nil
	}, nil)
	s := work.New(w.writes, work.Options{Owner: "this server"}, k)
	w.notify = s.Notify
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	w.end = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
		w.end = nil
	}
	synctest.Wait()
}

func (w *world) apply(op outcrop.Op, t *outcrop.Throughput) {
	w.t.Helper()
	if err := w.store.Apply(context.Background(), outcrop.Change{Op: op, Record: t.Record()}); err != nil {
		w.t.Fatal(err)
	}
	if w.end != nil {
		w.notify()
		synctest.Wait()
	}
}

func (w *world) create(name string, model outcrop.ARN) *outcrop.Throughput {
	w.t.Helper()
	t := &outcrop.Throughput{
		Meta: outcrop.Meta{Kind: outcrop.KindThroughput, Scope: scope, ID: name, Name: name, ARN: scope.ARN(outcrop.KindThroughput, name),
			Status: outcrop.ThroughputCreating, Parent: string(model)},
		ModelUnits: 1, ModelARN: model, DesiredModelARN: model,
	}
	w.apply(outcrop.OpCreate, t)
	return t
}

func (w *world) update(t *outcrop.Throughput, model outcrop.ARN) {
	w.t.Helper()
	t = w.get(t)
	t.Status, t.DesiredModelARN = outcrop.ThroughputUpdating, model
	w.apply(outcrop.OpUpdate, t)
}

func (w *world) get(t *outcrop.Throughput) *outcrop.Throughput {
	w.t.Helper()
	rec, err := w.store.Get(context.Background(), outcrop.Key{ARN: t.ARN})
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := outcrop.ThroughputOf(rec)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) is(t *outcrop.Throughput, status outcrop.Status) *outcrop.Throughput {
	w.t.Helper()
	got := w.get(t)
	if got.Status != status {
		w.t.Fatalf("%s is %s (%s), want %s", t.Name, got.Status, got.FailureMessage, status)
	}
	return got
}

// pass lets time pass.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// fakeEngine counts Loads and Unloads as an outcrop.Engine does.
type fakeEngine struct {
	mu      sync.Mutex
	loaded  map[string]int     // Loads that no Unload took back
	failing map[string][]error // for each directory, what its next loads return
	loads   []string
	most    int // at once
	now     int
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{loaded: map[string]int{}, failing: map[string][]error{}}
}

func (e *fakeEngine) Load(ctx context.Context, files outcrop.ModelFiles) error {
	dir := files.Dir
	e.mu.Lock()
	e.loads = append(e.loads, dir)
	e.now++
	e.most = max(e.most, e.now)
	e.mu.Unlock()
	defer func() { e.mu.Lock(); e.now--; e.mu.Unlock() }()
	select {
	case <-time.After(loadTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if fs := e.failing[dir]; len(fs) > 0 {
		e.failing[dir] = fs[1:]
		return fs[0]
	}
	e.loaded[dir]++
	return nil
}

func (e *fakeEngine) Unload(id outcrop.ModelID) {
	dir := string(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loaded[dir] == 0 {
		panic("unloaded " + dir + ", which is not loaded")
	}
	if e.loaded[dir]--; e.loaded[dir] == 0 {
		delete(e.loaded, dir)
	}
}

func (e *fakeEngine) has(t *testing.T, want ...string) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if got := slices.Sorted(maps.Keys(e.loaded)); !slices.Equal(got, want) {
		t.Errorf("loaded are %v, want %v", got, want)
	}
}

func TestCreateAndDelete(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		a := w.create("a", "arn:a")
		w.is(a, outcrop.ThroughputCreating)
		pass(loadTime)
		if got := w.is(a, outcrop.ThroughputInService); got.ModelARN != "arn:a" || got.FailureMessage != "" {
			t.Errorf("%+v", got)
		}
		w.engine.has(t, "/a")
		second := w.create("second", "arn:a")
		pass(loadTime)
		w.apply(outcrop.OpDelete, w.get(a))
		w.engine.has(t, "/a") // the other still serves it
		w.apply(outcrop.OpDelete, w.get(second))
		w.engine.has(t)
	})
}

func TestUpdate(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		a := w.create("a", "arn:a")
		pass(loadTime)
		w.update(a, "arn:b")
		w.is(a, outcrop.ThroughputUpdating)
		pass(loadTime / 2)
		w.engine.has(t, "/a") // still serving
		pass(loadTime)
		got := w.is(a, outcrop.ThroughputInService)
		if got.ModelARN != "arn:b" || got.DesiredModelARN != "arn:b" || got.Parent != "arn:b" {
			t.Errorf("%+v", got)
		}
		w.engine.has(t, "/b")
	})
}

// Throughput that has failed serves nothing, and keeps nothing in memory.
func TestUpdateFails(t *testing.T) {
	in(t, func(w *world) {
		w.engine.failing["/b"] = []error{outcrop.Errorf(outcrop.CodeModelError, "broken")}
		w.serve()
		a := w.create("a", "arn:a")
		pass(loadTime)
		w.update(a, "arn:b")
		pass(loadTime)
		w.is(a, outcrop.ThroughputFailed)
		w.engine.has(t)
		w.apply(outcrop.OpDelete, w.get(a))
		w.engine.has(t)
	})
}

// A model that is loaded again, since its row could not be written, is still one that leaves.
func TestWrittenLater(t *testing.T) {
	in(t, func(w *world) {
		full := errors.New("disk full")
		w.writes = &failingStore{Store: w.store, fails: []error{full, full}}
		w.serve()
		a := w.create("a", "arn:a")
		pass(time.Minute)
		w.is(a, outcrop.ThroughputInService)
		if n := len(w.engine.loads); n != 3 {
			t.Errorf("%d loads", n)
		}
		w.apply(outcrop.OpDelete, w.get(a))
		w.engine.has(t)
	})
}

// failingStore fails its next Applies.
type failingStore struct {
	outcrop.Store
	fails []error
}

func (s *failingStore) Apply(ctx context.Context, changes ...outcrop.Change) error {
	if len(s.fails) > 0 {
		err := s.fails[0]
		s.fails = s.fails[1:]
		return err
	}
	return s.Store.Apply(ctx, changes...)
}

func TestModelThatCannotBeLoaded(t *testing.T) {
	broken := outcrop.Errorf(outcrop.CodeModelError, "The model in /a has no weights.")
	odd := errors.New("read: input/output error")
	for name, tc := range map[string]struct {
		model outcrop.ARN
		fails []error
		loads int
		want  string // "" is InService
	}{
		"broken":   {"arn:a", []error{broken}, 1, "has no weights"},
		"deleted":  {"arn:gone", nil, 0, "has been deleted"},
		"odd":      {"arn:a", []error{odd, odd, odd}, triesMax, "input/output error"},
		"odd once": {"arn:a", []error{odd}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				w.engine.failing["/a"] = tc.fails
				w.serve()
				a := w.create("a", tc.model)
				pass(time.Minute)
				got := w.get(a)
				if (got.Status == outcrop.ThroughputFailed) != (tc.want != "") || !strings.Contains(got.FailureMessage, tc.want) {
					t.Errorf("%s: %q", got.Status, got.FailureMessage)
				}
				if len(w.engine.loads) != tc.loads {
					t.Errorf("%d loads", len(w.engine.loads))
				}
				w.apply(outcrop.OpDelete, w.get(a))
			})
		})
	}
}

func TestDeletedWhileLoading(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		a := w.create("a", "arn:a")
		pass(loadTime / 2)
		w.apply(outcrop.OpDelete, w.get(a))
		pass(time.Minute)
		w.engine.has(t)
	})
}

// What the API writes while a model is loaded is kept.
func TestChangedWhileLoading(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		a := w.create("a", "arn:a")
		pass(loadTime / 2)
		a = w.get(a)
		a.Name, a.Tags = "renamed", map[string]string{"k": "v"}
		w.apply(outcrop.OpUpdate, a)
		pass(loadTime)
		if got := w.is(a, outcrop.ThroughputInService); got.Name != "renamed" || got.Tags["k"] != "v" {
			t.Errorf("%+v", got)
		}
	})
}

func TestRestart(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		ready := w.create("ready", "arn:a")
		pass(loadTime)
		w.create("interrupted", "arn:b")
		pass(loadTime / 2)
		w.end()
		w.engine = newFakeEngine() // a new process
		created := w.create("created", "arn:base")
		w.serve()
		pass(loadTime)
		w.is(created, outcrop.ThroughputInService)
		w.engine.has(t, "/b", "/base") // first what somebody waits for
		w.is(ready, outcrop.ThroughputInService)
		pass(2*loadTime + retryAfter)
		w.engine.has(t, "/a", "/b", "/base")
		if n := len(w.engine.loads); n != 3 {
			t.Errorf("%d loads: %v", n, w.engine.loads)
		}
	})
}

// restarted brings throughput of arn:a into service, and serves anew, when loading /a fails so.
func (w *world) restarted(failures ...error) *outcrop.Throughput {
	w.t.Helper()
	w.serve()
	a := w.create("a", "arn:a")
	pass(loadTime)
	w.end()
	w.engine = newFakeEngine()
	w.engine.failing["/a"] = failures
	w.serve()
	return a
}

func TestBrokenModelAfterRestart(t *testing.T) {
	in(t, func(w *world) {
		a := w.restarted(outcrop.Errorf(outcrop.CodeModelError, "broken"))
		pass(time.Hour)
		w.is(a, outcrop.ThroughputInService) // a request is told what is wrong
		if n := len(w.engine.loads); n != 1 {
			t.Errorf("%d loads", n)
		}
		w.apply(outcrop.OpDelete, w.get(a))
		w.engine.has(t)
	})
}

// What a server finds in service at its start is loaded as soon as there is room.
func TestNoRoomAfterRestart(t *testing.T) {
	full := outcrop.Errorf(outcrop.CodeModelNotReady, "full")
	in(t, func(w *world) {
		a := w.restarted(full, full)
		pass(pollEvery)
		w.is(a, outcrop.ThroughputInService)
		w.engine.has(t)
		pass(2 * pollEvery)
		w.engine.has(t, "/a")
		if n := len(w.engine.loads); n != 3 {
			t.Errorf("%d loads", n)
		}
	})
}

// TestWaitsForRoom: a throughput for whose model there is no room yet says so, holds up no other, and
// comes into service when there is; if there never is, it fails.
func TestWaitsForRoom(t *testing.T) {
	full := outcrop.Errorf(outcrop.CodeModelNotReady, "full")
	for name, tc := range map[string]struct {
		refusals int
		want     outcrop.Status
	}{
		"room at last": {roomTries - 1, outcrop.ThroughputInService}, "never": {roomTries, outcrop.ThroughputFailed},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				w.engine.failing["/a"] = slices.Repeat([]error{full}, tc.refusals)
				w.serve()
				a := w.create("a", "arn:a")
				pass(pollEvery)
				if got := w.is(a, outcrop.ThroughputCreating); got.FailureMessage != "full" {
					t.Errorf("it says %q", got.FailureMessage)
				}
				b := w.create("b", "arn:b")
				pass(loadTime)
				w.is(b, outcrop.ThroughputInService)
				pass(roomTries * pollEvery)
				if got := w.is(a, tc.want); (got.FailureMessage == "") != (tc.want == outcrop.ThroughputInService) {
					t.Errorf("it says %q", got.FailureMessage)
				}
			})
		})
	}
}

// TestNoRoomForUpdate: what serves goes on when there is no room for another model beside it.
func TestNoRoomForUpdate(t *testing.T) {
	in(t, func(w *world) {
		w.engine.failing["/b"] = slices.Repeat([]error{outcrop.Errorf(outcrop.CodeModelNotReady, "full")}, roomTries)
		w.serve()
		a := w.create("a", "arn:a")
		pass(loadTime)
		w.update(a, "arn:b")
		pass(pollEvery)
		w.is(a, outcrop.ThroughputUpdating)
		w.engine.has(t, "/a")
		pass(roomTries * pollEvery)
		got := w.is(a, outcrop.ThroughputInService)
		if got.ModelARN != "arn:a" || got.DesiredModelARN != "arn:a" || !strings.Contains(got.FailureMessage, "arn:b. full") {
			t.Errorf("%+v", got)
		}
		w.engine.has(t, "/a")
		w.update(a, "arn:b") // now there is
		pass(loadTime)
		if got := w.is(a, outcrop.ThroughputInService); got.ModelARN != "arn:b" || got.FailureMessage != "" {
			t.Errorf("%+v", got)
		}
		w.engine.has(t, "/b")
	})
}

// TestDeletedWhileItWaits: one that is deleted while there is no room for it is waited for no more.
func TestDeletedWhileItWaits(t *testing.T) {
	in(t, func(w *world) {
		w.engine.failing["/a"] = slices.Repeat([]error{outcrop.Errorf(outcrop.CodeModelNotReady, "full")}, 2)
		w.serve()
		a := w.create("a", "arn:a")
		pass(pollEvery / 2)
		w.apply(outcrop.OpDelete, w.get(a))
		pass(4 * pollEvery)
		w.engine.has(t)
		if n := len(w.engine.loads); n > 2 {
			t.Errorf("%d loads", n)
		}
	})
}

func TestLoadsAtOnce(t *testing.T) {
	in(t, func(w *world) {
		for i := range 5 {
			w.models[outcrop.ARN(fmt.Sprintf("arn:%d", i))] = fmt.Sprintf("/%d", i)
		}
		w.serve()
		var all []*outcrop.Throughput
		for i := range 5 {
			all = append(all, w.create(fmt.Sprintf("t%d", i), outcrop.ARN(fmt.Sprintf("arn:%d", i))))
		}
		pass(3 * loadTime)
		for _, th := range all {
			w.is(th, outcrop.ThroughputInService)
		}
		if w.engine.most != loadsMax {
			t.Errorf("%d loads at once", w.engine.most)
		}
	})
}

// Without a notification it takes a poll.
func TestUnannounced(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		end := w.end
		w.end = nil // create does not notify
		a := w.create("a", "arn:a")
		w.end = end
		pass(pollEvery + loadTime)
		w.is(a, outcrop.ThroughputInService)
	})
}
