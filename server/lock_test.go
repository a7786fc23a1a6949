package server

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLockDirRefusesASecondAndNamesThePID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lockDir(dir) // flock is per open file: this process counts as another
	if err == nil || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second lock: %v, want a refusal that names pid %d", err, os.Getpid())
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := lockDir(dir)
	if err != nil {
		t.Fatalf("after unlock: %v", err)
	}
	if err := again.Unlock(); err != nil {
		t.Error(err)
	}
}

// A shorter pid replaces a longer one whole.
func TestLockDirReplacesAStalePID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/"+lockFile, []byte("123456789012345\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	b, err := os.ReadFile(dir + "/" + lockFile)
	if err != nil || string(b) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("lock file holds %q, %v", b, err)
	}
}

// harms are what somebody may do to a data directory under a server, so that another one could come.
func harms(dir string) map[string]func() error {
	replace := func(name string) func() error {
		return func() error {
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			return errors.Join(err, os.Remove(path), os.WriteFile(path, b, 0o600))
		}
	}
	remove := func(name string) func() error {
		return func() error { return os.Remove(filepath.Join(dir, name)) }
	}
	return map[string]func() error{
		"lock removed": remove(lockFile), "lock replaced": replace(lockFile),
		"rows removed": remove(databaseFile), "rows replaced": replace(databaseFile),
		"objects removed": remove("s3/index.db"), "objects replaced": replace("s3/index.db"),
		"directory moved":    func() error { return os.Rename(dir, dir+"-away") },
		"directory replaced": func() error { return errors.Join(os.Rename(dir, dir+"-away"), os.CopyFS(dir, os.DirFS(dir+"-away"))) },
	}
}

// Whatever of the lock is removed or replaced under a server, a second one is refused as long as the
// directory is the same, and the first one stops within lockEvery, and says why.
func TestLockThatIsTakenAway(t *testing.T) {
	t.Parallel()
	for name := range harms("") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(t.Context(), Config{DataDir: filepath.Join(t.TempDir(), "d"), Listen: "127.0.0.1:0", Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			s.lockEvery = 5 * time.Millisecond
			harmed := make(chan struct{})
			time.AfterFunc(20*s.lockEvery, func() {
				defer close(harmed)
				if err := harms(s.cfg.DataDir)[name](); err != nil {
					t.Error(err)
				}
				l, err := lockDir(s.cfg.DataDir)
				if !strings.HasPrefix(name, "directory") && (err == nil || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid()))) {
					t.Errorf("a second server: %v, want a refusal that names pid %d", err, os.Getpid())
				}
				if err == nil {
					l.Unlock()
				}
			})
			if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "was removed or replaced while this server used it") {
				t.Errorf("Run: %v", err)
			}
			<-harmed
		})
	}
}

// It is looked for every ten seconds, and not found where nothing has happened.
func TestLockIsWatched(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.MkdirAll(filepath.Join(dir, "s3"), 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l, err := lockDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Unlock()
		began, ended := time.Now(), make(chan error)
		go func() { ended <- l.watch(t.Context(), lockEvery) }()
		time.Sleep(time.Hour + lockEvery/2)
		if err := os.Remove(filepath.Join(dir, lockFile)); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil || time.Since(began) != time.Hour+lockEvery {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// A server that ends leaves the address of the one that has come in its place.
func TestInfoOfAnotherStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mine, other := Info{PID: 1, URL: "http://a"}, Info{PID: 1, URL: "http://b"}
	for _, there := range []Info{other, mine} {
		if err := errors.Join(writeInfo(dir, there), removeInfo(dir, mine)); err != nil {
			t.Fatal(err)
		}
		if _, err := readInfo(dir); (err == nil) != (there == other) {
			t.Errorf("the file of %+v: %v", there, err)
		}
	}
	if err := removeInfo(dir, mine); err != nil {
		t.Errorf("no file: %v", err)
	}
}
