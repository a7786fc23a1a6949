package launchtest

import (
	"slices"
	"strings"

	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

func testRuns(f *fixture) {
	l := f.site.Launcher()
	handle, w := f.start(l, first)
	f.is(l, handle, launch.Running)
	f.lists(l, handle)
	w.exit(attempt.ExitDone)
	f.ending(l, handle)
	f.lists(l)
}

func testIsToldWhatToDo(f *fixture) {
	_, w := f.start(f.site.Launcher(), first)
	want := []string{"--job", first.JobID, "--attempt", "2"}
	if w.Args[0] != "worker" || !slices.Equal(w.Args[len(w.Args)-len(want):], want) {
		f.Errorf("arguments %q, want %q at their end", w.Args, want)
	}
	if w.Token != first.Token {
		f.Errorf("token %q in the environment, want %q", w.Token, first.Token)
	}
	if strings.Contains(strings.Join(w.Args, " "), first.Token) {
		f.Errorf("all users of the machine can read the token: %q", w.Args)
	}
}

func testEndsWithCode(f *fixture) {
	l := f.site.Launcher()
	next := f.site.Launcher()
	for i, code := range []int{attempt.ExitDone, attempt.ExitBadData, attempt.ExitTemporary, attempt.ExitDeadline} {
		handle, w := f.start(l, later(i))
		w.exit(code)
		s := f.ending(l, handle)
		if s.Phase != launch.Ended || s.Code != code || s.Killed || s.Detail == "" {
			f.Errorf("exit %d: %+v", code, s)
		}
		again := f.state(next, handle)
		if f.site.Remembers && (again.Phase != launch.Ended || again.Code != code || again.Killed) {
			f.Errorf("exit %d: the next server sees %+v", code, again)
		}
		if !f.site.Remembers && again.Phase != launch.Gone {
			f.Errorf("exit %d: the next server cannot know, and sees %+v", code, again)
		}
	}
}

func testKilled(f *fixture) {
	l := f.site.Launcher()
	handle, w := f.start(l, first)
	f.kill(l, handle)
	s := f.state(l, handle)
	if s.Phase != launch.Ended || !s.Killed || s.Code == attempt.ExitDone {
		f.Fatalf("after a kill: %+v", s)
	}
	f.gone(w)
	f.lists(l)
}

func testKillOfWhatHasEnded(f *fixture) {
	l := f.site.Launcher()
	handle, w := f.start(l, first)
	w.exit(attempt.ExitBadData)
	f.ending(l, handle)
	for _, by := range []launch.Launcher{l, l, f.site.Launcher()} {
		f.kill(by, handle)
	}
	if s := f.state(l, handle); s.Phase != launch.Ended || s.Code != attempt.ExitBadData || s.Killed {
		f.Errorf("after a kill that came too late: %+v", s)
	}
}

// A server that has restarted finds the process by its handle, though it is not its child.
func testKilledByTheNextServer(f *fixture) {
	l := f.site.Launcher()
	next := f.site.Launcher()
	handle, w := f.start(l, first)
	f.is(next, handle, launch.Running)
	f.kill(next, handle)
	if s := f.state(next, handle); !s.Over() || s.Phase == launch.Ended && !s.Killed {
		f.Fatalf("the next server has killed it and sees %+v", s)
	}
	if s := f.state(l, handle); s.Phase != launch.Ended || !s.Killed {
		f.Errorf("the server that has started it sees %+v", s)
	}
	f.gone(w)
}

func testList(f *fixture) {
	l := f.site.Launcher()
	f.lists(l)
	handle, _ := f.start(l, first)
	beside, _ := f.start(l, launch.Launch{JobID: first.JobID + "-a2", Attempt: 1})
	done, w := f.start(l, launch.Launch{JobID: "done", Attempt: 1})
	w.exit(attempt.ExitDone)
	f.ending(l, done)
	killed, _ := f.start(l, launch.Launch{JobID: "killed", Attempt: 1})
	f.kill(l, killed)
	other := f.site.Other()
	foreign := f.begin(other, later(7)) // the same job id
	f.is(l, handle, launch.Running)
	for range 2 {
		f.lists(l, handle, beside)
		f.lists(other, foreign)
		l = f.site.Launcher()
	}
}

// A record that was copied with its data directory has the handle of the original's process: to the
// copy it is gone, and no word of the copy's ends it.
func testLeavesOthersAlone(f *fixture) {
	l, other := f.site.Launcher(), f.site.Other()
	handle, w := f.start(l, first)
	for range 2 {
		f.is(other, handle, launch.Gone)
		f.kill(other, handle)
		other = f.site.Other()
	}
	f.begin(other, later(1))
	f.is(f.site.Launcher(), handle, launch.Running)
	f.lives(w)
	f.lists(l, handle)
}

// Nothing that is wrong about a site makes it look as if a process had ended.
func testAway(f *fixture) {
	if f.site.Away == nil {
		f.Skip("SKIPPED: nothing is between this launcher and its processes")
	}
	l := f.site.Launcher()
	handle, w := f.start(l, first)
	back := f.site.Away()
	_, stateErr := l.State(f.ctx, handle)
	_, listErr := l.List(f.ctx)
	_, startErr := l.Start(f.ctx, later(1))
	killErr := l.Kill(f.ctx, handle)
	for call, err := range map[string]error{"State": stateErr, "List": listErr, "Start": startErr, "Kill": killErr} {
		if err == nil {
			f.Errorf("%s knows something", call)
		}
	}
	back()
	f.is(l, handle, launch.Running)
	f.lives(w)
}

func testNoSharedDisk(f *fixture) {
	if !f.site.Apart {
		f.Skip("SKIPPED: no shared disk: workers still see base models and their scratch directory on the server's disk, until artefacts go through object storage")
	}
	if _, w := f.start(f.site.Launcher(), first); w.SeesFile {
		f.Errorf("the worker sees the server's disk")
	}
}
