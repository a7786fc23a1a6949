package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockFile is held by the living worker of a scratch directory.
const lockFile = "lock"

// takeLock takes the lock at path, ending the process that holds it: a worker of an
// attempt that has been given up, or that was started by a server which died before it
// could write the handle down.
func takeLock(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if tryLock(f) {
		return f, nil
	}
	err = endHolders(ctx, path)
	if err == nil {
		err = until(ctx, func() bool { return tryLock(f) }, "another process holds "+path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func tryLock(f *os.File) bool {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

// endHolders kills the other processes that have the file at path open. It keeps this
// process from forking meanwhile: a child has all our files until it runs its program.
func endHolders(ctx context.Context, path string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	pids, err := holders(path)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		id, err := identify(pid)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = id.kill(ctx)
		}
		if err != nil {
			return fmt.Errorf("end the earlier worker: %w", err)
		}
	}
	return nil
}

// holders lists the other processes of this user that have the file at path open.
func holders(path string) ([]int, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil || target != path {
			continue // gone, or another user's
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(fd))))
		if err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
