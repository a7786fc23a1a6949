package launchtest

import (
	"strings"
	"sync"

	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

func testStartedTwice(f *fixture) {
	l := f.site.Launcher()
	handle, w := f.start(l, first)
	f.same(handle, f.begin(l, first))
	f.lists(l, handle)
	f.lives(w)
	if n := f.ofFirst(l); n != 1 {
		f.Errorf("%d processes of one attempt", n)
	}
}

func (f *fixture) same(handle, again string) {
	f.Helper()
	if again != handle {
		f.Fatalf("%s is started, and again as %s", handle, again)
	}
}

func testStartedTwiceAtOnce(f *fixture) {
	launchers := []launch.Launcher{f.site.Launcher(), f.site.Launcher()}
	handles, errs := make([]string, 8), make([]error, 8)
	var group sync.WaitGroup
	for i := range handles {
		group.Go(func() { handles[i], errs[i] = launchers[i%2].Start(f.ctx, first) })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			f.Fatal(err)
		}
		f.same(handles[0], handles[i])
	}
	f.lists(launchers[0], handles[0])
	f.worker(first)
	if n := f.ofFirst(launchers[0]); n != 1 {
		f.Errorf("%d processes of one attempt", n)
	}
}

// A server died between the start of an attempt and the writing of its handle.
func testStartedAgainByTheNextServer(f *fixture) {
	handle, w := f.start(f.site.Launcher(), first)
	next := f.site.Launcher()
	f.same(handle, f.begin(next, first))
	f.is(next, handle, launch.Running)
	f.lists(next, handle)
	f.lives(w)
	if n := f.ofFirst(next); n != 1 {
		f.Errorf("%d processes of one attempt", n)
	}
	f.kill(next, handle)
	f.gone(w)
}

// At most one process works on a job, whoever started it and whether its handle was written down
// or not.
func testNextAttemptEndsTheEarlier(f *fixture) {
	l := f.site.Launcher()
	lost, w := f.start(l, first)
	other, _ := f.start(f.site.Other(), first) // the same job id
	_, beside := f.start(l, launch.Launch{JobID: "another", Attempt: 1})
	for i := 1; i <= 2; i++ { // the second time by the next server
		handle := f.begin(l, later(i))
		if s := f.state(l, lost); !s.Over() {
			f.Fatalf("the earlier attempt is %+v", s)
		}
		f.gone(w)
		w = f.worker(later(i))
		f.is(l, handle, launch.Running)
		lost, l = handle, f.site.Launcher()
	}
	f.is(f.site.Other(), other, launch.Running)
	f.lives(beside)
}

func testBadHandles(f *fixture) {
	l := f.site.Launcher()
	handle, w := f.start(l, first)
	kind, _, _ := strings.Cut(handle, ":")
	for _, bad := range []string{"", "x", kind, kind + ":", handle + ":", handle + ":x", "x" + handle, "other" + strings.TrimPrefix(handle, kind)} {
		if s, err := l.State(f.ctx, bad); err == nil {
			f.Errorf("handle %q has the state %+v", bad, s)
		}
		if err := l.Kill(f.ctx, bad); err == nil {
			f.Errorf("handle %q was killed", bad)
		}
	}
	f.lives(w)
}

func testPathsAreNotJobs(f *fixture) {
	l := f.site.Launcher()
	for _, id := range []string{"", ".", "..", "a/b", "../a", ".a", "-a", "a b", "a:b", "a\x00b", "a\nb", strings.Repeat("a", 64)} {
		if _, err := l.Start(f.ctx, launch.Launch{JobID: id, Attempt: 1}); err == nil {
			f.Errorf("job %q was started", id)
		}
	}
	f.lists(l)
	f.start(l, launch.Launch{JobID: strings.Repeat("a", 63), Attempt: 1})
}

// A program that is not there is an error of Start, or an end that is not done.
func testNoSuchProgram(f *fixture) {
	l := f.open(f.TB, Program{Command: []string{"/no/such/program"}}).Launcher()
	handle, err := l.Start(f.ctx, first)
	if err == nil {
		if s := f.ending(l, handle); s.Phase != launch.Ended || s.Code == attempt.ExitDone || s.Killed || s.Detail == "" {
			f.Errorf("a program that is not there: %+v", s)
		}
	}
	f.lists(l)
}

func testWaiting(f *fixture) {
	l, handle, free := f.wait()
	f.same(handle, f.begin(l, first))
	f.lists(f.site.Launcher(), handle)
	free()
	w := f.worker(first)
	f.is(l, handle, launch.Running)
	w.exit(attempt.ExitDone)
	if s := f.ending(l, handle); s.Phase != launch.Ended || s.Code != attempt.ExitDone {
		f.Errorf("it has waited, and then %+v", s)
	}
}

// wait starts first where there is no place for it.
func (f *fixture) wait() (l launch.Launcher, handle string, free func()) {
	f.Helper()
	if f.site.Full == nil {
		f.Skip("SKIPPED: this launcher has a place for every process")
	}
	l, free = f.site.Launcher(), f.site.Full()
	handle = f.begin(l, first)
	if s := f.state(l, handle); s.Phase != launch.Waiting || s.Why == "" || s.Over() {
		f.Fatalf("there is no place, and it is %+v", s)
	}
	return l, handle, free
}

func testKilledWhileWaiting(f *fixture) {
	l, handle, free := f.wait()
	f.kill(l, handle)
	if s := f.state(l, handle); s.Phase != launch.Ended || !s.Killed {
		f.Fatalf("after a kill: %+v", s)
	}
	f.lists(l)
	free()
	if n := f.ofFirst(l); n != 0 {
		f.Error("it runs")
	}
}
