package customize

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
)

// A model is read once, and again when one of its files, or of its base's, is another one.
func TestBases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := outcrop.ModelFiles{Dir: filepath.Join(dir, "adapter"), BaseDir: filepath.Join(dir, "base")}
	write := func(name, content string, at int64) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600), os.Chtimes(path, time.Time{}, time.Unix(at, 0))); err != nil {
			t.Fatal(err)
		}
	}
	write("adapter/weights", "one", 1)
	write("base/weights", "two", 1)
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		b := NewBases(func(dir, baseDir string) (string, error) {
			reads++
			a, err := os.ReadFile(filepath.Join(dir, "weights"))
			below, belowErr := os.ReadFile(filepath.Join(baseDir, "weights"))
			return string(a) + string(below), errors.Join(err, belowErr)
		})
		for i, change := range []struct {
			make func()
			want string
		}{
			{func() {}, "onetwo"},
			{func() { write("adapter/weights", "three", 1) }, "threetwo"}, // the size
			{func() { write("base/weights", "six", 2) }, "threesix"},      // the time
			{func() { os.Remove(filepath.Join(dir, "base/weights")) }, ""},
		} {
			change.make()
			if got := b.Digest(files); got != "" {
				t.Errorf("%d: it has waited for %q", i, got)
			}
			synctest.Wait()
			for range 3 {
				if got := b.Digest(files); got != change.want {
					t.Errorf("%d: the digest is %q, want %q", i, got, change.want)
				}
			}
			if reads != i+1 {
				t.Errorf("%d: it was read %d times", i, reads)
			}
		}
	})
}

// Files that change while they are read have no digest.
func TestBasesThatChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := NewBases(func(dir, baseDir string) (string, error) {
			n++
			if n == 1 {
				return "half", os.WriteFile(filepath.Join(dir, "weights"), nil, 0o600)
			}
			return "whole", nil
		})
		for _, want := range []string{"", "", "whole"} {
			if got := b.Digest(outcrop.ModelFiles{Dir: dir}); got != want {
				t.Errorf("the digest is %q, want %q", got, want)
			}
			synctest.Wait()
		}
	})
}
