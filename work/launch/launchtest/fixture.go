package launchtest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"outcrop.dev/outcrop/work/launch"
)

// patience is how long a case waits for what must happen.
const patience = 30 * time.Second

// poll is how often it looks.
const poll = 5 * time.Millisecond

type fixture struct {
	testing.TB
	ctx      context.Context
	patience time.Duration
	open     Open
	site     Site
	workers  *workers
}

func newFixture(t testing.TB, open Open) *fixture {
	t.Helper()
	dir := t.TempDir() // first: it is removed when all workers have ended
	file := filepath.Join(dir, "here")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &fixture{TB: t, ctx: t.Context(), patience: patience, open: open, workers: listen(t)}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f.site = open(t, Program{Command: []string{self, "worker"}, Env: []string{
		addressEnv + "=" + f.workers.listener.Addr().String(), fileEnv + "=" + file,
		"GOCOVERDIR=" + dir, // go test -cover prints without it
	}})
	t.Cleanup(f.workers.close) // before what the site has registered
	return f
}

// first is what most cases start.
var first = launch.Launch{JobID: "abcdefghijkl", Attempt: 2, Token: "secret"}

// later is an attempt that comes after first.
func later(by int) launch.Launch {
	l := first
	l.Attempt += by
	return l
}

// start starts an attempt and waits until its worker has reported.
func (f *fixture) start(l launch.Launcher, what launch.Launch) (handle string, w *worker) {
	f.Helper()
	handle = f.begin(l, what)
	return handle, f.worker(what)
}

func (f *fixture) begin(l launch.Launcher, what launch.Launch) (handle string) {
	f.Helper()
	handle, err := l.Start(f.ctx, what)
	if err != nil {
		f.Fatalf("start attempt %d of %s: %v", what.Attempt, what.JobID, err)
	}
	return handle
}

// worker waits for the worker of an attempt.
func (f *fixture) worker(of launch.Launch) *worker {
	f.Helper()
	var found []*worker
	f.until("a worker reports", func() bool {
		found = f.workers.of(of.JobID, of.Attempt)
		return len(found) > 0
	})
	return found[0]
}

// ofFirst counts the processes of first. Any that was started earlier has reported when a later one has.
func (f *fixture) ofFirst(l launch.Launcher) int {
	f.Helper()
	f.start(l, launch.Launch{JobID: "thelaterjob", Attempt: 1})
	return len(f.workers.of(first.JobID, first.Attempt))
}

func (f *fixture) until(what string, done func() bool) {
	f.Helper()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for end := time.Now().Add(f.patience); !done(); <-tick.C {
		if time.Now().After(end) {
			f.Fatalf("waited %v, and not: %s", f.patience, what)
		}
	}
}

// gone waits for the end of a process that has been killed: the kernel closes its connections a
// moment before or after its launcher sees the end.
func (f *fixture) gone(w *worker) {
	f.Helper()
	select {
	case <-w.gone:
	case <-time.After(f.patience):
		f.Fatal("the process lives")
	}
}

func (f *fixture) lives(w *worker) {
	f.Helper()
	select {
	case <-w.gone:
		f.Fatal("the process has ended")
	default:
	}
}

func (f *fixture) state(l launch.Launcher, handle string) launch.State {
	f.Helper()
	s, err := l.State(f.ctx, handle)
	if err != nil {
		f.Fatalf("state of %s: %v", handle, err)
	}
	return s
}

func (f *fixture) is(l launch.Launcher, handle string, want launch.Phase) {
	f.Helper()
	if s := f.state(l, handle); s.Phase != want {
		f.Fatalf("%s is %+v, want %s", handle, s, want)
	}
}

// ending waits for a worker that ends by itself.
func (f *fixture) ending(l launch.Launcher, handle string) (s launch.State) {
	f.Helper()
	f.until("the process is over", func() bool {
		s = f.state(l, handle)
		return s.Over()
	})
	return s
}

func (f *fixture) kill(l launch.Launcher, handle string) {
	f.Helper()
	if err := l.Kill(f.ctx, handle); err != nil {
		f.Fatalf("kill %s: %v", handle, err)
	}
}

// lists fails the case unless l lists these handles and no others.
func (f *fixture) lists(l launch.Launcher, want ...string) {
	f.Helper()
	got, err := l.List(f.ctx)
	got = slices.Sorted(slices.Values(got))
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		f.Fatalf("it lists %q, %v, want %q", got, err, want)
	}
}
