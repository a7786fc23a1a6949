package local

import (
	"context"
	"slices"
	"strings"
)

// List implements launch.Launcher: it finds workers by the locks that they hold, also those whose
// scratch directories have been removed. It looks once at all processes, whatever the number of
// directories.
func (l *Launcher) List(context.Context) ([]string, error) {
	root, err := l.root()
	if err != nil {
		return nil, ignoreMissing(err) // nothing has been started
	}
	var handles []string
	for _, h := range holders(func(lock openLock) bool { return isOurs(root, lock) }) {
		id, err := identify(h.pid)
		if err != nil && !vanished(err) {
			return nil, err
		}
		line := readCommandLine(h.pid)
		works := line == "" || strings.Contains(line, worksOn(h.lock.jobID())) // without one it is about to become its program
		if err == nil && works && id.alive() {
			handles = append(handles, id.String())
		}
	}
	slices.Sort(handles)
	return slices.Compact(handles), nil
}
