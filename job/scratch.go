package job

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"outcrop.dev/outcrop/attempt"
)

// logsKept is how long the log of a job that has failed is kept.
const logsKept = 30 * 24 * time.Hour

// scratchDirs lists the names of the scratch directories, making their root if need be.
func (r *Reconciler) scratchDirs() ([]string, error) {
	if err := os.MkdirAll(r.o.ScratchRoot, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(r.o.ScratchRoot)
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// sweep clears the scratch directories of jobs that are not active any more: their server
// died before it could.
func (r *Reconciler) sweep(names []string, active map[string]bool) {
	for _, name := range names {
		if active[name] {
			continue
		}
		if err := r.clear(name, true); err != nil {
			r.o.Log.Warn("sweep scratch directory", "job", name, "error", err)
		}
	}
}

// clear removes a job's scratch directory, all of it or, with keepLog, all but a log that
// is not too old.
func (r *Reconciler) clear(id string, keepLog bool) error {
	dir := filepath.Join(r.o.ScratchRoot, id)
	info, err := os.Stat(filepath.Join(dir, attempt.LogFile))
	if !keepLog || err != nil || r.o.Now().Sub(info.ModTime()) > logsKept {
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
