package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"outcrop.dev/outcrop/data/store/sqlite"
	"outcrop.dev/outcrop/data/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store {
		return open(t, filepath.Join(t.TempDir(), "outcrop.db"), now)
	})
}

func open(t *testing.T, path string, now func() time.Time) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
