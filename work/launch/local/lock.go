package local

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/work/launch"
)

// lockFile is held by the living worker of a scratch directory.
const lockFile = "lock"

// The last arguments of a worker, each followed by its value, say what it works on.
const (
	jobFlag     = "--job"
	attemptFlag = "--attempt"
)

// takeLock takes the lock at path for an attempt, ending the process that holds it: a worker of
// an attempt that has been given up. The holder may be the attempt's own worker, started by a
// server that died before it could write the handle down, or at this moment by another
// goroutine; then takeLock returns its handle in place of the lock.
func takeLock(ctx context.Context, path string, next launch.Launch) (lock *os.File, running string, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, "", err
	}
	mine, removed, err := matches(f, path)
	if err != nil {
		f.Close()
		return nil, "", err
	}
	var failed error
	err = until(ctx, func() bool {
		which, locked := mine, tryLock(f)
		if locked {
			which = removed
		}
		running, failed = endHolders(ctx, which, next)
		return locked || running != "" || failed != nil
	}, "another process holds "+path)
	if err = cmp.Or(failed, err); err != nil || running != "" {
		f.Close()
		return nil, running, err
	}
	return f, "", nil
}

func tryLock(f *os.File) bool {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

// matches returns what tells that a process has f open, the lock at path, or the one that was there
// before somebody removed it: its holder works in the directory still, though f can be locked.
func matches(f *os.File, path string) (mine, removed func(openLock) bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, nil, err
	}
	removed = func(l openLock) bool { return l.removed && l.path == path }
	return func(l openLock) bool { return os.SameFile(l.info, info) || removed(l) }, removed, nil
}

// endHolders kills the other processes that have the lock open. It stops at the worker of
// the attempt that is to be started, and returns its handle.
func endHolders(ctx context.Context, mine func(openLock) bool, next launch.Launch) (running string, err error) {
	for _, h := range holders(mine) {
		id, err := identify(h.pid)
		if vanished(err) {
			continue
		}
		line := readCommandLine(h.pid)
		if err == nil && isWorker(line, next) {
			return id.String(), nil
		}
		if err == nil && line != "" { // without one it is about to become its program, or to end
			err = id.kill(ctx)
		}
		if err != nil {
			return "", fmt.Errorf("end the earlier worker: %w", err)
		}
	}
	return "", nil
}

// isWorker reports whether a command line is that of the worker of an attempt.
func isWorker(line string, of launch.Launch) bool {
	return strings.HasSuffix(line, worksOn(of.JobID)+strconv.Itoa(of.Attempt)+"\x00")
}

// worksOn is what is in the command line of each worker of a job.
func worksOn(jobID string) string {
	return "\x00" + jobFlag + "\x00" + jobID + "\x00" + attemptFlag + "\x00"
}

// openLock is the lock of a scratch directory that a process has open.
type openLock struct {
	path    string // which it had last, if it has been removed
	removed bool
	info    os.FileInfo
}

// jobID is the name of the scratch directory.
func (l openLock) jobID() string { return filepath.Base(filepath.Dir(l.path)) }

// holder is a process that has the lock of a scratch directory open.
type holder struct {
	pid  int
	lock openLock
}

// holders lists the other processes of this user that have a lock open of those that match. It
// keeps this process from forking meanwhile: a child has all our files until it runs its program.
func holders(match func(openLock) bool) []holder {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		panic(err) // the pattern is ours
	}
	var found []holder
	for _, fd := range fds {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(fd))))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if lock, ok := readLock(fd); ok && match(lock) {
			found = append(found, holder{pid, lock})
		}
	}
	return found
}

// readLock says which lock a descriptor is. It is none if it is another file, or gone, or another
// user's.
func readLock(fd string) (l openLock, ok bool) {
	target, err := os.Readlink(fd)
	if err != nil {
		return l, false
	}
	l.path, l.removed = strings.CutSuffix(target, " (deleted)")
	if filepath.Base(l.path) != lockFile {
		return l, false
	}
	l.info, err = os.Stat(fd)
	return l, err == nil
}

// isOurs reports whether a lock is of a scratch directory below root, which has no symbolic links. A
// data directory that has been copied has other files in its places, whatever their names.
func isOurs(root string, l openLock) bool {
	if l.removed {
		return filepath.Dir(filepath.Dir(l.path)) == root
	}
	info, err := os.Stat(filepath.Join(root, l.jobID(), lockFile))
	return err == nil && os.SameFile(info, l.info)
}

// runs reports whether the process of a handle lives and is ours.
func (l *Launcher) runs(handle string, id identity) (bool, error) {
	if !id.alive() || l.child(handle) != nil {
		return id.alive(), nil
	}
	return l.works(id.pid)
}

// works reports whether a process is a worker of this launcher's data directory: it holds the lock
// of one of its scratch directories. A handle alone does not tell: the row that it stands in may
// have been copied with its data directory, and the worker be the original's.
func (l *Launcher) works(pid int) (bool, error) {
	root, err := l.root()
	if err != nil {
		return false, ignoreMissing(err)
	}
	fds, err := os.ReadDir(procPath(pid, "fd"))
	if err != nil {
		return false, ignoreMissing(err)
	}
	for _, fd := range fds {
		if lock, ok := readLock(filepath.Join(procPath(pid, "fd"), fd.Name())); ok && isOurs(root, lock) {
			return true, nil
		}
	}
	return false, nil
}

// root is where the scratch directories are, without symbolic links.
func (l *Launcher) root() (string, error) { return filepath.EvalSymlinks(l.config.ScratchRoot) }

// ignoreMissing is err, unless that says that there is no such file or process.
func ignoreMissing(err error) error {
	if vanished(err) {
		return nil
	}
	return err
}
