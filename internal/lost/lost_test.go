package lost_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop/internal/lost"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, dir string) []lost.Item {
	t.Helper()
	items, err := lost.List(dir)
	must(t, err)
	return items
}

// Files and folders are kept under their time, one of a name beside the other, are in the log,
// and go a moment before thirty days at the earliest. What others put there stays.
func TestKeepAndExpire(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	var log bytes.Buffer
	f := lost.Folder{Dir: filepath.Join(dir, lost.Name), Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil))}
	must(t, f.Keep())
	if items := list(t, f.Dir); items != nil {
		t.Errorf("found %v before anything was lost", items)
	}
	for range 2 {
		must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("abc"), 0o600))
		must(t, f.Keep(filepath.Join(dir, "a")))
	}
	must(t, os.Mkdir(filepath.Join(dir, "m"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "m", "x"), []byte("abcd"), 0o600))
	must(t, f.Keep(filepath.Join(dir, "m")))
	must(t, os.WriteFile(filepath.Join(f.Dir, "#123"), nil, 0o600)) // fsck's
	items := list(t, f.Dir)
	if len(items) != 3 || items[0].Bytes != 3 || items[2].Bytes != 4 || !items[0].Since.Equal(now) {
		t.Fatalf("found %+v", items)
	}
	for _, item := range items {
		if !strings.Contains(log.String(), item.Path) {
			t.Errorf("%s is not in the log", item.Path)
		}
	}
	now = now.Add(lost.KeepFor - time.Second)
	must(t, f.Expire())
	if n := len(list(t, f.Dir)); n != 3 {
		t.Errorf("%d items a second before their time", n)
	}
	now = now.Add(time.Second)
	must(t, f.Expire())
	if n := len(list(t, f.Dir)); n != 0 {
		t.Errorf("%d items after their time", n)
	}
	if _, err := os.Stat(filepath.Join(f.Dir, "#123")); err != nil {
		t.Error("somebody else's file was deleted", err)
	}
	if err := f.Keep(filepath.Join(dir, "none")); err == nil {
		t.Error("kept what is not there")
	}
}

// A hundred files have a line each; what is more is counted.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	for _, n := range []int{100, 101} {
		dir := t.TempDir()
		var log bytes.Buffer
		f := lost.Folder{Dir: filepath.Join(dir, lost.Name), Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))}
		var paths []string
		for i := range n {
			path := filepath.Join(dir, fmt.Sprint("f", i))
			must(t, os.WriteFile(path, nil, 0o600))
			paths = append(paths, path)
		}
		must(t, f.Keep(paths...))
		more := strings.Contains(log.String(), "more=1")
		if lines := strings.Count(log.String(), "\n"); lines != n || more != (n > 100) || len(list(t, f.Dir)) != n {
			t.Errorf("%d files: %d lines, more %v", n, lines, more)
		}
	}
}
