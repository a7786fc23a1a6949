package durable_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/internal/durable"
)

// TestOpen: a regular file is opened; nothing else is, and nothing is waited for.
func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file: "", pipe: "is a named pipe, not a regular file", dir: "is a directory, not a regular file", os.DevNull: "is a device, not a regular file",
		filepath.Join(dir, "none"): "no such file",
	} {
		f, err := durable.Open(path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if err == nil {
			f.Close()
		}
	}
	if free, err := durable.FreeDisk(dir); err != nil || free <= 0 {
		t.Errorf("%d bytes free, %v", free, err)
	}
	if _, err := durable.FreeDisk(filepath.Join(dir, "none")); err == nil {
		t.Error("the free disk of nothing")
	}
}
