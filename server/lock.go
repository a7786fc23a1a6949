package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/internal/pause"
)

// lockFile has the pid of the one server of a data directory, which holds it (flock).
const lockFile = "lock"

// lockEvery is how often a server looks whether what it holds is what others would find.
const lockEvery = 10 * time.Second

// A dirLock keeps a second server away from a data directory. It is held on the directory itself, on
// lockFile and on the databases: whichever of them somebody removes or replaces, the others are held
// still. The kernel lets go of them when the process dies, however it dies.
type dirLock struct {
	dir  string
	held []*os.File // opened by the paths that they are looked for by
}

// lockDir takes the lock of dir, or says which process has it.
func lockDir(dir string) (*dirLock, error) {
	l := &dirLock{dir: dir}
	if err := l.hold(dir, os.O_RDONLY); err != nil {
		return nil, err
	}
	if err := l.hold(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE); err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	f := l.held[len(l.held)-1]
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	return l, nil
}

// holdDatabases holds those databases that there are, before they are opened and after they were made.
// SQLite's own locks are of another kind (fcntl), and let others read; all of this process go when any
// descriptor of the file is closed, so these are closed last.
func (l *dirLock) holdDatabases() error {
	for _, name := range []string{databaseFile, filepath.Join(objectsDir, "index.db")} {
		err := l.hold(filepath.Join(l.dir, name), os.O_RDONLY)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (l *dirLock) hold(path string, flag int) error {
	for _, f := range l.held {
		if f.Name() == path {
			return nil
		}
	}
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("another outcrop server (pid %s) uses the data directory %s: stop it, or choose another with --data", l.holder(), l.dir)
		}
		return fmt.Errorf("lock %s (the data directory belongs on a local file system): %w", path, err)
	}
	l.held = append(l.held, f)
	return nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder is the pid that the other server wrote; "unknown" in the instant before it has, and if
// somebody has removed both files that have it.
func (l *dirLock) holder() string {
	b, err := os.ReadFile(filepath.Join(l.dir, lockFile))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return pid
	}
	if info, err := readInfo(l.dir); err == nil {
		return strconv.Itoa(info.PID)
	}
	return "unknown"
}

// check returns an error if what is held is not what another server would find.
func (l *dirLock) check() error {
	for _, f := range l.held {
		mine, err := f.Stat()
		if err != nil {
			return err
		}
		if there, err := os.Stat(f.Name()); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(mine, there) {
			return fmt.Errorf("%s was removed or replaced while this server used it: the server stops, because a second one could write beside it. "+
				"Put back what was there (the file lock is made anew), and start it again", f.Name())
		}
	}
	return nil
}

// watch checks until ctx ends, or there is an error.
func (l *dirLock) watch(ctx context.Context, every time.Duration) error {
	for pause.For(ctx, every, nil) == nil {
		if err := l.check(); err != nil {
			return err
		}
	}
	return nil
}

// Unlock lets another server in.
func (l *dirLock) Unlock() (err error) {
	for _, f := range l.held {
		err = errors.Join(err, f.Close())
	}
	return err
}
