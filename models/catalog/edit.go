package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// edit opens the catalog of a data directory for a change that a command makes, beside a
// server that may run there: one command at a time.
func edit(dataDir string) (c *Catalog, unlock func(), err error) {
	c = &Catalog{dir: filepath.Join(dataDir, Dir)}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, nil, err
	}
	if unlock, err = lock(c.dir, unix.LOCK_EX); err != nil {
		return nil, nil, err
	}
	return c, unlock, c.refresh()
}

// lock keeps other commands away from the directory until unlock is called, or this process ends.
func lock(dir string, how int) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}

// tidy puts right what commands were cut off in: halves of directories go, and a model that
// was not removed yet is there again. While a command is at work it leaves all to the next start.
func tidy(dir string) error {
	unlock, err := lock(dir, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), hidden) {
			err = os.RemoveAll(path)
		} else {
			err = takeBack(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
