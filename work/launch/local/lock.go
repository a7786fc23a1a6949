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
	var failed error
	err = until(ctx, func() bool {
		if tryLock(f) {
			return true
		}
		running, failed = endHolders(ctx, path, next)
		return running != "" || failed != nil
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

// endHolders kills the other processes that have the lock at path open. It stops at the worker of
// the attempt that is to be started, and returns its handle.
func endHolders(ctx context.Context, path string, next launch.Launch) (running string, err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	for _, h := range holders(func(lock string) bool { return lock == path }) {
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

// holder is a process that has the lock of a scratch directory open.
type holder struct {
	pid  int
	lock string
}

// holders lists the other processes of this user that have a lock open of those that match. A lock
// may be of a directory that has been removed. It keeps this process from forking meanwhile: a
// child has all our files until it runs its program.
func holders(match func(lock string) bool) []holder {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		panic(err) // the pattern is ours
	}
	var found []holder
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil {
			continue // gone, or another user's
		}
		target = strings.TrimSuffix(target, " (deleted)")
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(fd))))
		if err == nil && pid != os.Getpid() && match(target) {
			found = append(found, holder{pid, target})
		}
	}
	return found
}
