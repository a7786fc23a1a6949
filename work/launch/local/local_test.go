package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
	"outcrop.dev/outcrop/work/launch/launchtest"
)

// The test binary is its own worker: modeEnv says what it does.
const modeEnv = "OUTCROP_LOCAL_TEST_MODE"

func TestMain(m *testing.M) {
	launchtest.BeWorker()
	mode, isWorker := os.LookupEnv(modeEnv)
	if !isWorker {
		os.Exit(m.Run())
	}
	worker(mode)
}

func worker(mode string) {
	verb, argument, _ := strings.Cut(mode, " ")
	switch verb {
	case "exit":
		code, _ := strconv.Atoi(argument)
		fmt.Println("some output")
		os.Exit(code)
	case "panic":
		panic("no such row")
	case "abort":
		unix.Kill(os.Getpid(), unix.SIGABRT)
		select {}
	case "tell":
		sid, _ := unix.Getsid(0)
		nice, _ := unix.Getpriority(unix.PRIO_PROCESS, 0) // the kernel answers 20-nice
		wd, _ := os.Getwd()
		fmt.Printf("args %q token %q leader %v nice %d dir %s\n", os.Args[1:], os.Getenv(attempt.TokenEnv), sid == os.Getpid(), 20-nice, wd)
	case "sleep":
		fmt.Println("nothing to complain about")
		time.Sleep(time.Hour)
	}
}

func launcher(t *testing.T, dir, mode string) *Launcher {
	t.Helper()
	l := New(Config{
		Command: []string{os.Args[0], "worker"}, DataDir: dir, ScratchRoot: filepath.Join(dir, "scratch"),
		Env: []string{modeEnv + "=" + mode, "GOCOVERDIR=" + t.TempDir()}, Nice: NiceDefault, // go test -cover prints without it
	})
	l.oomKills = func() int64 { return 0 }
	return l
}

var second = launch.Launch{JobID: "abcdefghijkl", Attempt: 2, Token: "secret"}

func start(t *testing.T, l *Launcher) string {
	t.Helper()
	handle, err := l.Start(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Kill(context.Background(), handle) })
	return handle
}

func state(t *testing.T, l *Launcher, handle string) launch.State {
	t.Helper()
	s, err := l.State(t.Context(), handle)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func alive(t *testing.T, l *Launcher, handle string) bool {
	t.Helper()
	return !state(t, l, handle).Over()
}

// wait waits for a worker that ends by itself.
func wait(t *testing.T, l *Launcher, handle string) launch.State {
	t.Helper()
	for alive(t, l, handle) {
		time.Sleep(time.Millisecond)
	}
	s := state(t, l, handle)
	if s.Phase != launch.Ended {
		t.Fatalf("how it ended is not known: %+v", s)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	launchtest.Run(t, func(t testing.TB, p launchtest.Program) launchtest.Site {
		at := func(dir string) func() launch.Launcher {
			return func() launch.Launcher {
				return New(Config{Command: p.Command, Env: p.Env, DataDir: dir, ScratchRoot: filepath.Join(dir, "scratch"), Nice: NiceDefault})
			}
		}
		return launchtest.Site{Launcher: at(t.TempDir()), Other: at(t.TempDir())}
	})
}

func TestWorkerIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	dir, before := t.TempDir(), ownNice()
	l := launcher(t, dir, "tell")
	if s := wait(t, l, start(t, l)); s.Code != 0 {
		t.Fatalf("%+v", s)
	}
	b, err := os.ReadFile(filepath.Join(dir, "scratch", second.JobID, attempt.LogFile))
	want := fmt.Sprintf("=== attempt 2\nargs [\"worker\" \"--data\" %q \"--job\" \"abcdefghijkl\" \"--attempt\" \"2\"] token \"secret\" leader true nice %d dir %s\n",
		dir, max(NiceDefault, ownNice()), filepath.Join(dir, "scratch", second.JobID))
	if err != nil || string(b) != want {
		t.Errorf("log %q, %v\nwant %q", b, err, want)
	}
	if after := ownNice(); after != before {
		t.Errorf("this process had nice %d, and has %d", before, after)
	}
}

// A worker is a session of its own; where the kernel shares the CPU out by sessions, the
// session gives way, not only the process in it.
func TestWorkersSessionYields(t *testing.T) {
	t.Parallel()
	if b, err := os.ReadFile("/proc/sys/kernel/sched_autogroup_enabled"); err != nil || strings.TrimSpace(string(b)) != "1" {
		t.Skipf("SKIPPED: this kernel does not group sessions: %q, %v", b, err)
	}
	l := launcher(t, t.TempDir(), "sleep")
	handle := start(t, l)
	defer l.Kill(t.Context(), handle)
	id, err := parseIdentity(handle)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(procPath(id.pid, "autogroup"))
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(b)), fmt.Sprintf("nice %d", max(NiceDefault, ownNice()))) {
		t.Errorf("the session's priority is %q, %v, want nice %d", b, err, NiceDefault)
	}
}

func TestExits(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct {
		code int
		said string
	}{
		"exit 0":  {0, "some output"},
		"exit 65": {65, "exit status 65; it said: some output"},
		"panic":   {2, "panic: no such row"},
		"abort":   {2, "SIGABRT: abort"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := launcher(t, t.TempDir(), mode)
			handle := start(t, l)
			s := wait(t, l, handle)
			if s.Code != want.code || s.Killed || !strings.Contains(s.Detail, want.said) {
				t.Errorf("%+v; want %d, %q", s, want.code, want.said)
			}
			for i := range childrenMax {
				if again := state(t, l, handle); again != s {
					t.Fatalf("the end is %+v after %d more", again, i)
				}
				l.remember(strconv.Itoa(i), &child{})
			}
			if s := state(t, l, handle); s.Phase != launch.Gone {
				t.Errorf("the end is still known after %d more: %+v", childrenMax, s)
			}
		})
	}
}

// A program that is not Go's ends by the signal itself.
func TestEndedByItsOwnFault(t *testing.T) {
	t.Parallel()
	l := launcher(t, t.TempDir(), "")
	l.config.Command = []string{"/bin/sh", "-c", "kill -ABRT $$"}
	if s := wait(t, l, start(t, l)); s.Code != attempt.ExitSoftware || s.Killed || !strings.Contains(s.Detail, "aborted") {
		t.Errorf("%+v", s)
	}
}

func TestKilledForLackOfMemory(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		byUs bool
		want int
	}{"kernel": {false, attempt.ExitOutOfMemory}, "us": {true, attempt.ExitTemporary}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := launcher(t, t.TempDir(), "sleep")
			var mu sync.Mutex
			kills := int64(7)
			l.oomKills = func() int64 { mu.Lock(); defer mu.Unlock(); return kills }
			handle := start(t, l)
			for lastWords(l.child(handle).logPath) == "" {
				time.Sleep(time.Millisecond)
			}
			mu.Lock()
			kills++
			mu.Unlock()
			id, err := parseIdentity(handle)
			if err != nil {
				t.Fatal(err)
			}
			if tc.byUs {
				err = l.Kill(t.Context(), handle)
			} else {
				err = unix.Kill(id.pid, unix.SIGKILL)
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := wait(t, l, handle); s.Code != tc.want || s.Killed != tc.byUs || strings.Contains(s.Detail, "it said") {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A worker whose scratch directory has been removed is found, once, however often it has the lock
// open; a process that only looks into the directory is not.
func TestListFindsWorkersByTheirLocks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := launcher(t, dir, "")
	l.config.Command = []string{"/bin/sh", "-c", `exec 4<&3; mkfifo never; echo began; read x <never`}
	handle := start(t, l)
	for lastWords(l.child(handle).logPath) == "" {
		time.Sleep(time.Millisecond)
	}
	lock, err := os.Open(filepath.Join(dir, "scratch", second.JobID, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	reader := exec.Command("/bin/sleep", "1000")
	reader.ExtraFiles = []*os.File{lock}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	defer reader.Wait()
	defer reader.Process.Kill()
	for range 2 {
		if got, err := l.List(t.Context()); err != nil || !slices.Equal(got, []string{handle}) {
			t.Errorf("List = %q, %v, want %q", got, err, handle)
		}
		if err := os.RemoveAll(filepath.Join(dir, "scratch", second.JobID)); err != nil {
			t.Fatal(err)
		}
	}
}

// The attempt's own worker is known by its command line alone. Every other holder of the lock is ended,
// also that of a higher number, and what is no worker at all.
func TestOnlyItsOwnWorkerIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := launcher(t, dir, "sleep")
	started := start(t, l)
	id, err := parseIdentity(started)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]bool{
		readCommandLine(id.pid): true,
		"":                      false,
		"\x00worker\x00--job\x00abcdefghijkl\x00--attempt\x002\x00":  true,
		"\x00worker\x00--job\x00abcdefghijkl\x00--attempt\x0022\x00": false,
		"\x00worker\x00--job\x00abcdefghijkl\x00--attempt\x003\x00":  false,
		"\x00worker\x00--job\x00bcdefghijkl\x00--attempt\x002\x00":   false,
		"\x00worker --job abcdefghijkl --attempt 2\x00":              false,
	} {
		if got := isWorker(line, second); got != want {
			t.Errorf("%q is the worker: %v", line, got)
		}
	}
	lock, err := os.Open(filepath.Join(dir, "scratch", second.JobID, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	reader := exec.Command("/bin/sleep", "1000")
	reader.ExtraFiles = []*os.File{lock}
	if err := errors.Join(reader.Start(), lock.Close()); err != nil {
		t.Fatal(err)
	}
	earlier := second
	earlier.Attempt-- // as after a data directory was restored
	handle, err := l.Start(t.Context(), earlier)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Kill(context.Background(), handle) })
	if alive(t, l, started) || !alive(t, l, handle) {
		t.Error("two workers have one scratch directory, or none")
	}
	if err := reader.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the other holder of the lock: %v", err)
	}
}

// A data directory is copied while a worker of it lives, and a server is started on the copy, with the
// same records: both have one worker then, and neither ends the other's.
func TestCopiedDirectory(t *testing.T) {
	t.Parallel()
	original, copied := t.TempDir(), t.TempDir()
	l, other := launcher(t, original, "sleep"), launcher(t, copied, "sleep")
	handle := start(t, l)
	if out, err := exec.Command("cp", "-a", filepath.Join(original, "scratch"), copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if s := state(t, other, handle); s.Phase != launch.Gone {
		t.Errorf("in the copy the original's worker is %+v", s)
	}
	if err := other.Kill(t.Context(), handle); err != nil {
		t.Error(err)
	}
	next := second
	next.Attempt++
	beside, err := other.Start(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Kill(context.Background(), beside) })
	if again := launcher(t, original, "sleep"); !alive(t, again, handle) || alive(t, again, beside) {
		t.Error("the next server of the original has lost its worker, or takes the copy's for one")
	}
	for l, want := range map[*Launcher]string{l: handle, other: beside} {
		if got, err := l.List(t.Context()); err != nil || !slices.Equal(got, []string{want}) {
			t.Errorf("List = %q, %v, want %q", got, err, want)
		}
	}
}

// A worker is ours under every name of its directory: after a move, and through a link.
func TestMovedDirectory(t *testing.T) {
	t.Parallel()
	before := filepath.Join(t.TempDir(), "before")
	after, link := filepath.Join(filepath.Dir(before), "after"), filepath.Join(t.TempDir(), "link")
	handle := start(t, launcher(t, before, "sleep"))
	if err := errors.Join(os.Rename(before, after), os.Symlink(after, link)); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{before: false, after: true, link: true} {
		if got := alive(t, launcher(t, dir, "sleep"), handle); got != want {
			t.Errorf("from %s it is a worker: %v, want %v", dir, got, want)
		}
	}
}

// Somebody removes the lock of a scratch directory under a worker: the next attempt ends it all the same.
func TestRemovedLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := launcher(t, dir, "sleep")
	earlier := start(t, l)
	if err := os.Remove(filepath.Join(dir, "scratch", second.JobID, lockFile)); err != nil {
		t.Fatal(err)
	}
	next := second
	next.Attempt++
	handle, err := l.Start(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Kill(context.Background(), handle) })
	if alive(t, l, earlier) || !alive(t, l, handle) {
		t.Error("two workers have one scratch directory, or none")
	}
}

func TestHandlesAreChecked(t *testing.T) {
	t.Parallel()
	l := launcher(t, t.TempDir(), "sleep")
	id, err := parseIdentity(start(t, l))
	if err != nil {
		t.Fatal(err)
	}
	later, before := id, id
	later.start++           // the pid was given to another process
	before.boot = "another" // before the machine was restarted
	for _, other := range []identity{later, before} {
		if alive(t, l, other.String()) {
			t.Errorf("%s is taken for the worker", other)
		}
		if err := l.Kill(t.Context(), other.String()); err != nil {
			t.Error(err)
		}
	}
	if !alive(t, l, id.String()) {
		t.Error("a kill hit another process")
	}
	for _, bad := range []string{"", "local", "local:b:x:1", "local:b:1:1", "local:b:-5:1", "local:b:5:x", "ray:b:5:1", "local:b:5:1:"} {
		if _, err := l.State(t.Context(), bad); err == nil {
			t.Errorf("handle %q was accepted", bad)
		}
		if err := l.Kill(t.Context(), bad); err == nil {
			t.Errorf("handle %q was accepted", bad)
		}
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	l := launcher(t, t.TempDir(), "sleep")
	l.config.Command = []string{"/no/such/program"}
	if _, err := l.Start(t.Context(), second); err == nil {
		t.Error("started a program that is not there")
	}
	l.config.Command = []string{os.Args[0]}
	start(t, l) // the lock was let go
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	state, began, err := parseStat([]byte("12 (a) b) R) S 1 12 12 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"))
	if state != 'S' || began != 4711 || err != nil {
		t.Errorf("parseStat = %c, %d, %v", state, began, err)
	}
	for _, bad := range []string{"", "12", "12 (a) S 1", "12 (a) S 1 12 12 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 x"} {
		if _, _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parsed %q", bad)
		}
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "worker.log")
	for content, want := range map[string]string{
		"": "", "\n\n": "", "=== attempt 1\n": "", "one\ntwo\n\n": "two", "=== attempt 1\nold\n=== attempt 2\n": "",
		"=== attempt 1\npanic: old\n=== attempt 2\nnew\n":                 "new",
		"a\nfatal error: x\n\ngoroutine 1 [running]:\npanic: y\n\tz.go:3": "fatal error: x",
		strings.Repeat("long ", 100_000) + "\nend":                        "end",
		strings.Repeat("é", 1000):                                         strings.Repeat("é", lastWordsMax/2),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := lastWords(path); got != want {
			t.Errorf("last words of %.60q = %q, want %q", content, got, want)
		}
	}
	if got := lastWords(path + "x"); got != "" {
		t.Errorf("a missing log says %q", got)
	}
	for _, size := range []int64{logBytesMax, logBytesMax + 1} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		f, err := openLog(path, 1)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if _, err := os.Stat(path + ".1"); (err == nil) != (size > logBytesMax) {
			t.Errorf("a log of %d bytes: put aside: %v", size, err)
		}
	}
}

func TestOOMCounters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("oom 4\noom_kill 3\noom_group_kill 9\nbad x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, ok := readCounter(path, "oom_kill"); !ok || n != 3 {
		t.Errorf("readCounter = %d, %v", n, ok)
	}
	for _, name := range []string{"oom_", "bad", "nothing"} {
		if _, ok := readCounter(path, name); ok {
			t.Errorf("there is a counter %q", name)
		}
	}
	if err := os.WriteFile(path, []byte("1:cpu:/a\n0::/b/c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := controlGroup(path); got != "/b/c" {
		t.Errorf("controlGroup = %q", got)
	}
	if n := oomKillCounter()(); n < 0 {
		t.Errorf("%d kills", n)
	}
}
