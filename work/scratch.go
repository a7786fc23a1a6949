package work

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"outcrop.dev/outcrop/work/attempt"
)

// logsKept is how long the log of work that has failed is kept.
const logsKept = 30 * 24 * time.Hour

// scratch is the directory that the attempts at a record share.
func (a *Attempts) scratch(id string) string { return filepath.Join(a.o.ScratchRoot, id) }

// log is where the workers of a record print.
func (a *Attempts) log(n Noun) string { return filepath.Join(a.scratch(n.Head().ID), attempt.LogFile) }

// scratchDirs returns the names of the scratch directories, making their root if need be.
func (a *Attempts) scratchDirs() (map[string]bool, error) {
	if err := os.MkdirAll(a.o.ScratchRoot, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(a.o.ScratchRoot)
	names := map[string]bool{}
	for _, e := range entries {
		if e.IsDir() {
			names[e.Name()] = true
		}
	}
	return names, err
}

// sweep does what a server did not live to do after some work had ended: the scratch directories
// of records that are not live any more go. Work is billed before its own is cleared. The
// directories are listed before the records: those of new ones are not among them.
func (a *Attempts) sweep(ctx context.Context) error {
	left, err := a.scratchDirs()
	if err != nil {
		return err
	}
	for n, err := range a.all(ctx, liveStatuses) {
		if err != nil {
			return err
		}
		delete(left, n.Head().ID)
	}
	if len(left) == 0 {
		return nil
	}
	for n, err := range a.all(ctx, billedStatuses) {
		if err != nil {
			return err
		}
		if id := n.Head().ID; left[id] {
			if err := a.kinds[n.Head().Kind].bill(ctx, n.Record()); err != nil {
				return err
			}
			a.tidy(id, false)
			delete(left, id)
		}
	}
	for id := range left {
		a.tidy(id, true)
	}
	return nil
}

// tidy is clear where an error is only for the log: the next start of the server sweeps.
func (a *Attempts) tidy(id string, keepLog bool) {
	if err := a.clear(id, keepLog); err != nil {
		a.o.Log.Warn("clear scratch directory", "of", id, "error", err)
	}
}

// clear removes a scratch directory, all of it or, with keepLog, all but a log that is not too old.
func (a *Attempts) clear(id string, keepLog bool) error {
	dir := a.scratch(id)
	info, err := os.Stat(filepath.Join(dir, attempt.LogFile))
	if !keepLog || err != nil || a.o.Now().Sub(info.ModTime()) > logsKept {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), attempt.LogFile) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
