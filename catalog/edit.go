package catalog

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// edit opens the catalog of a data directory for a change that a command makes, beside a
// server that may run there: one command at a time.
func edit(dataDir string) (c *Catalog, unlock func(), err error) {
	c = &Catalog{dir: filepath.Join(dataDir, Dir)}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, nil, err
	}
	lock, err := os.Open(c.dir)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		lock.Close()
		return nil, nil, fmt.Errorf("lock %s: %w", c.dir, err)
	}
	return c, func() { lock.Close() }, c.refresh()
}
