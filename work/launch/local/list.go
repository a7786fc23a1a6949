package local

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// List implements launch.Launcher: it finds workers by the locks that they hold, also those whose
// scratch directories have been removed. It looks once at all processes, whatever the number of
// directories.
func (l *Launcher) List(context.Context) ([]string, error) {
	root, err := filepath.EvalSymlinks(l.config.ScratchRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing has been started
	}
	if err != nil {
		return nil, err
	}
	var handles []string
	for _, h := range holders(func(lock string) bool { return isLock(root, lock) }) {
		jobID := filepath.Base(filepath.Dir(h.lock))
		id, err := identify(h.pid)
		if err != nil && !vanished(err) {
			return nil, err
		}
		line := readCommandLine(h.pid)
		works := line == "" || strings.Contains(line, worksOn(jobID)) // without one it is about to become its program
		if err == nil && works && id.alive() {
			handles = append(handles, id.String())
		}
	}
	slices.Sort(handles)
	return slices.Compact(handles), nil
}

// isLock reports whether path is the lock of a scratch directory below root.
func isLock(root, path string) bool {
	return filepath.Base(path) == lockFile && filepath.Dir(filepath.Dir(path)) == root
}
