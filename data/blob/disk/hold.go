package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// holdFile is locked by who copies the store's files: shared, so that several may; and by the
// reclaimer while it removes some: exclusively.
const holdFile = "hold"

// holdRetry is how long the reclaimer waits before it looks again.
const holdRetry = time.Second

// Hold keeps a server, of this process or another, from removing any file of the store in dir until
// release is called. What a copy of the index names is there as long.
func Hold(dir string) (release func() error, err error) {
	f, err := lockHold(dir, syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return f.Close, nil
}

func lockHold(dir string, how int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, holdFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// unlessHeld calls f, unless somebody copies the files; held says so. A lock that fails for another
// reason is no reason to keep what nobody needs.
func (s *Store) unlessHeld(f func()) (held bool) {
	lock, err := lockHold(s.dir, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true
	}
	if err == nil {
		defer lock.Close()
	}
	f()
	return false
}
