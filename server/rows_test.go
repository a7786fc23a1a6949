package server_test

import (
	"path/filepath"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/server"
)

// TestOpenModels: the models of a data directory are there beside a server, and none before the
// first one has run; nothing is written there.
func TestOpenModels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	look := func(ref string) (m *outcrop.Model, files outcrop.ModelFiles, err error) {
		t.Helper()
		all, done, err := server.OpenModels(t.Context(), dir, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := done(); err != nil {
				t.Error(err)
			}
		}()
		if m, err = all.Anywhere(t.Context(), ref); err == nil {
			files, _ = all.Files(t.Context(), m.Ref()) // there is no catalog with its base yet
		}
		return m, files, err
	}
	if _, _, err := look("tiny"); outcrop.CodeOf(err) != outcrop.CodeNotFound {
		t.Errorf("without a database: %v", err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*")); found != nil {
		t.Errorf("looking has left %q", found)
	}
	arn := tuned(t, dir)
	if m, files, err := look("tiny"); err != nil || m.Custom.ARN != arn || files.Dir != filepath.Join(dir, "models", "tinytinytiny") {
		t.Errorf("%+v, %+v, %v", m, files, err)
	}
}
