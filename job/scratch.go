package job

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"outcrop.dev/outcrop"
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

// sweep does what a server did not live to do after a job had ended: left are the scratch
// directories of jobs that are not active any more. A job is billed before its own is cleared.
func (r *Reconciler) sweep(ctx context.Context, left map[string]bool) error {
	for rec, err := range r.jobs(ctx, billed) {
		if err != nil {
			return err
		}
		if !left[rec.ID] {
			continue
		}
		j, err := outcrop.JobOf(rec)
		if err != nil {
			return err
		}
		r.bill(ctx, j)
		r.tidy(j.ID, false)
		delete(left, j.ID)
	}
	for id := range left {
		r.tidy(id, true)
	}
	return nil
}

// tidy is clear where an error is only for the log: the next start of the server sweeps.
func (r *Reconciler) tidy(id string, keepLog bool) {
	if err := r.clear(id, keepLog); err != nil {
		r.o.Log.Warn("clear scratch directory", "job", id, "error", err)
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
