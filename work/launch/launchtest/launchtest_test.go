package launchtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

func TestMain(m *testing.M) {
	BeWorker()
	os.Exit(m.Run())
}

const manyPlaces = 100

// openRemote opens two installations on one engine.
func openRemote(t testing.TB, p Program) Site {
	e := NewEngine(t, manyPlaces)
	here, other := t.TempDir(), t.TempDir()
	remote := func(dir string) launch.Launcher {
		return NewRemote(e.URL, RemoteOptions{Command: p.Command, Env: p.Env, DataDir: dir, ScratchRoot: filepath.Join(dir, "scratch")})
	}
	return Site{
		Launcher: func() launch.Launcher { return remote(here) }, Other: func() launch.Launcher { return remote(other) },
		Remembers: true,
		Full:      func() func() { e.SetPlaces(0); return func() { e.SetPlaces(manyPlaces) } },
		Away:      func() func() { e.SetAway(true); return func() { e.SetAway(false) } },
	}
}

func TestRemote(t *testing.T) {
	t.Parallel()
	Run(t, openRemote)
}

// spy notes that a case has failed, and does not fail for it.
type spy struct {
	testing.TB
	mu   sync.Mutex
	said []string
}

func (s *spy) Helper() {}

func (s *spy) Error(args ...any)         { s.Errorf("%s", fmt.Sprint(args...)) }
func (s *spy) Fatal(args ...any)         { s.Fatalf("%s", fmt.Sprint(args...)) }
func (s *spy) Fatalf(f string, v ...any) { s.Errorf(f, v...); runtime.Goexit() }
func (s *spy) Errorf(f string, v ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, fmt.Sprintf(f, v...))
}

// broken is a launcher whose methods may be replaced.
type broken struct {
	launch.Launcher
	start func(ctx context.Context, l launch.Launch) (string, error)
	state func(ctx context.Context, handle string) (launch.State, error)
	kill  func(ctx context.Context, handle string) error
	list  func(ctx context.Context) ([]string, error)
}

func (b broken) Start(ctx context.Context, l launch.Launch) (string, error) { return b.start(ctx, l) }
func (b broken) Kill(ctx context.Context, handle string) error              { return b.kill(ctx, handle) }
func (b broken) List(ctx context.Context) ([]string, error)                 { return b.list(ctx) }
func (b broken) State(ctx context.Context, handle string) (launch.State, error) {
	return b.state(ctx, handle)
}

// spoilt is a site that gets a fault.
type spoilt struct {
	Site
	reported func() int // how many workers have
}

// spoil breaks the launchers of a site.
func spoil(s *spoilt, how func(*broken)) {
	good := s.Launcher
	s.Launcher = func() launch.Launcher {
		l := good()
		b := broken{l, l.Start, l.State, l.Kill, l.List}
		how(&b)
		return b
	}
}

// startAnew starts a process at each call, and answers for which of them as told.
func startAnew(sameHandle bool) func(*spoilt) {
	return func(s *spoilt) {
		var mu sync.Mutex
		var handle string
		spoil(s, func(b *broken) {
			b.start = func(ctx context.Context, l launch.Launch) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				if handle == "" || l.JobID != first.JobID {
					h, err := b.Launcher.Start(ctx, l)
					handle = h
					return h, err
				}
				second := s.Other() // which has not heard of the first
				h, err := second.Start(ctx, l)
				if !sameHandle || err != nil {
					return h, err
				}
				for s.reported() < 2 {
					time.Sleep(time.Millisecond)
				}
				return handle, nil
			}
		})
	}
}

func state(change func(s *launch.State)) func(*spoilt) {
	return func(site *spoilt) {
		spoil(site, func(b *broken) {
			b.state = func(ctx context.Context, handle string) (launch.State, error) {
				s, err := b.Launcher.State(ctx, handle)
				change(&s)
				return s, err
			}
		})
	}
}

func kill(f func(ctx context.Context, l launch.Launcher, handle string) error) func(*spoilt) {
	return func(s *spoilt) {
		spoil(s, func(b *broken) {
			b.kill = func(ctx context.Context, handle string) error { return f(ctx, b.Launcher, handle) }
		})
	}
}

func start(change func(l *launch.Launch)) func(*spoilt) {
	return func(s *spoilt) {
		spoil(s, func(b *broken) {
			b.start = func(ctx context.Context, l launch.Launch) (string, error) {
				change(&l)
				return b.Launcher.Start(ctx, l)
			}
		})
	}
}

func killNothing(context.Context, launch.Launcher, string) error { return nil }

// faults has for each case launchers that do not pass it, and what the case says of them.
var faults = map[string][]struct {
	name  string
	spoil func(*spoilt)
	want  string
}{
	"Runs": {
		{"an empty list", func(s *spoilt) { spoil(s, func(b *broken) { b.list = listNothing }) }, "it lists"},
		{"always waiting", state(func(s *launch.State) { s.Phase = launch.Waiting }), "want Running"},
	},
	"IsToldWhatToDo": {{"no token", start(func(l *launch.Launch) { l.Token = "" }), `token ""`}, {"another attempt", start(func(l *launch.Launch) { l.JobID += "x"; l.Attempt++ }), "a worker reports"}},
	"EndsWithCode": {
		{"all is well", state(func(s *launch.State) { s.Code = 0 }), "exit 65"},
		{"all is killed", state(func(s *launch.State) { s.Killed = s.Over() }), "exit 0"},
		{"no words", state(func(s *launch.State) { s.Detail = "" }), "exit 0"},
		{"a gap in its memory", func(s *spoilt) { s.Remembers = false }, "cannot know"},
	},
	"Killed": {
		{"not killed", kill(killNothing), "after a kill"},
		{"killed by itself", state(func(s *launch.State) { s.Killed = false }), "after a kill"},
		{"killed is done", state(func(s *launch.State) { s.Code = 0 }), "after a kill"},
	},
	"KillOfWhatHasEnded": {{"an error", kill(func(ctx context.Context, l launch.Launcher, handle string) error {
		if s, err := l.State(ctx, handle); err != nil || s.Over() {
			return errors.New("no such process")
		}
		return l.Kill(ctx, handle)
	}), "no such process"}},
	"KilledByTheNextServer":       {{"not killed", kill(killNothing), "the next server has killed it"}},
	"StartedTwice":                {{"two handles", startAnew(false), "and again as"}, {"two processes", startAnew(true), "2 processes"}},
	"StartedTwiceAtOnce":          {{"two handles", startAnew(false), "and again as"}, {"two processes", startAnew(true), "2 processes"}},
	"StartedAgainByTheNextServer": {{"two handles", startAnew(false), "and again as"}, {"two processes", startAnew(true), "2 processes"}},
	"NextAttemptEndsTheEarlier": {
		{"it goes on", startAnew(false), "the earlier attempt is"},
		{"it ends another's", func(s *spoilt) {
			good := s.Other
			spoil(s, func(b *broken) {
				b.start = func(ctx context.Context, l launch.Launch) (string, error) {
					handles, err := good().List(ctx)
					for _, h := range handles {
						err = errors.Join(err, good().Kill(ctx, h))
					}
					h, startErr := b.Launcher.Start(ctx, l)
					return h, errors.Join(err, startErr)
				}
			})
		}, "want Running"},
	},
	"List": {{"all of the machine's", func(s *spoilt) {
		spoil(s, func(b *broken) {
			b.list = func(ctx context.Context) ([]string, error) {
				ours, err := b.Launcher.List(ctx)
				others, otherErr := s.Other().List(ctx)
				return slices.Concat(ours, others), errors.Join(err, otherErr)
			}
		})
	}, "it lists"}},
	"LeavesOthersAlone": {{"takes all for its own", func(s *spoilt) { s.Other = s.Launcher }, "want Gone"}},
	"BadHandles": {{"takes all", func(s *spoilt) {
		spoil(s, func(b *broken) {
			b.state = func(context.Context, string) (launch.State, error) { return launch.State{Phase: launch.Gone}, nil }
		})
	}, "has the state"}, {"kills all", kill(killNothing), "was killed"}},
	"PathsAreNotJobs":    {{"takes all", start(func(l *launch.Launch) { l.JobID = "abc" }), "was started"}},
	"NoSuchProgram":      {{"all is well", state(func(s *launch.State) { s.Code = 0 }), "not there"}},
	"Waiting":            {{"no reason", state(func(s *launch.State) { s.Why = "" }), "there is no place"}, {"a place", func(s *spoilt) { s.Full = func() func() { return func() {} } }, "there is no place"}},
	"KilledWhileWaiting": {{"not killed", kill(killNothing), "after a kill"}},
	"Away":               {{"here", func(s *spoilt) { s.Away = func() func() { return func() {} } }, "State knows something"}},
	"NoSharedDisk":       {{"a shared disk", func(s *spoilt) { s.Apart = true }, "sees the server's disk"}},
}

func listNothing(context.Context) ([]string, error) { return nil, nil }

// Each case can fail, and says what is wrong.
func TestSuiteCanFail(t *testing.T) {
	t.Parallel()
	for name, test := range cases {
		if len(faults[name]) == 0 {
			t.Errorf("nothing is known to fail case %s", name)
		}
		for _, fault := range faults[name] {
			t.Run(name+"/"+fault.name, func(t *testing.T) {
				t.Parallel()
				said := watch(t, test, fault.spoil)
				if !strings.Contains(strings.Join(said, "\n"), fault.want) {
					t.Errorf("the case says %q, want %q", said, fault.want)
				}
			})
		}
	}
}

// watch runs a case over a site that has been spoilt, and returns how it fails.
func watch(t *testing.T, test func(*fixture), spoil func(*spoilt)) []string {
	s := &spy{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var f *fixture
		f = newFixture(s, func(t testing.TB, p Program) Site {
			site := spoilt{openRemote(t, p), func() int { return len(f.workers.reported()) }}
			spoil(&site)
			return site.Site
		})
		f.patience = patience / 6
		test(f)
	}()
	<-done
	return s.said
}

// Nothing of an engine's outlives it.
func TestEngineLeavesNothing(t *testing.T) {
	t.Parallel()
	var w *worker
	t.Run("engine", func(t *testing.T) {
		f := newFixture(t, openRemote)
		_, w = f.start(f.site.Launcher(), first)
		t.Cleanup(func() { f.workers.all = nil }) // so that the suite does not end it
	})
	<-w.gone
}

// What the engine has forgotten is Gone, and a process that ended by its own fault was not killed.
func TestRemoteStates(t *testing.T) {
	t.Parallel()
	e, dir := NewEngine(t, manyPlaces), t.TempDir()
	for script, want := range map[string]launch.State{
		"exit 65":       {Phase: launch.Ended, Code: attempt.ExitBadData, Detail: "exit status 65"},
		"kill -ABRT $$": {Phase: launch.Ended, Code: attempt.ExitSoftware, Detail: "signal: aborted"},
		"kill -KILL $$": {Phase: launch.Ended, Code: attempt.ExitTemporary, Detail: "signal: killed", Killed: true},
	} {
		l := NewRemote(e.URL, RemoteOptions{Command: []string{"/bin/sh", "-c", script}, DataDir: dir + script, ScratchRoot: dir})
		f := &fixture{TB: t, ctx: t.Context(), patience: patience}
		handle := f.begin(l, first)
		if got := f.ending(l, handle); got != want {
			t.Errorf("%s: %+v, want %+v", script, got, want)
		}
		e.Forget()
		f.is(l, handle, launch.Gone)
		f.kill(l, handle)
	}
}
