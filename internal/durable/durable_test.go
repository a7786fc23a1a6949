package durable_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"outcrop.dev/outcrop/internal/durable"
)

func TestWriteBytesReplacesAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"one", "two"} {
		if err := durable.WriteBytes(path, 0o600, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Fatalf("read %q, %v, want %q", b, err, text)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteBytes(filepath.Join(dir, "d"), 0o600, []byte("x")); err == nil {
		t.Error("replaced a directory by a file")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("directory holds %v, %v, want f and d: a temporary file was left", entries, err)
	}
}

func TestRenameAcrossDirectoriesAndSyncTree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := durable.WriteBytes(filepath.Join(dir, "a", "f"), 0o600, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := durable.SyncTree(dir); err != nil {
		t.Fatal(err)
	}
	if err := durable.Rename(filepath.Join(dir, "a", "f"), filepath.Join(dir, "b", "g")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "b", "g")); err != nil {
		t.Error(err)
	}
}

func TestCopyFileIsInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	if err := durable.WriteBytes(from, 0o600, []byte("text")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := durable.CopyFileContext(ctx, filepath.Join(dir, "to"), from, 0o600)
	if entries, _ := os.ReadDir(dir); !errors.Is(err, context.Canceled) || len(entries) != 1 {
		t.Errorf("error %v, %d files", err, len(entries))
	}
}

func TestCopyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := durable.CopyFile(to, from, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("copy of nothing: %v, want fs.ErrNotExist", err)
	}
	if err := durable.WriteBytes(from, 0o600, []byte("text")); err != nil {
		t.Fatal(err)
	}
	if err := durable.CopyFile(to, from, 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(to)
	info, statErr := os.Stat(to)
	if err != nil || statErr != nil || string(b) != "text" || info.Mode().Perm() != 0o644 {
		t.Errorf("the copy holds %q, %v, mode %v, %v", b, err, info.Mode(), statErr)
	}
}

func TestSHA256(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, B.1
	if sum, size, err := durable.SHA256(path); sum != want || size != 3 || err != nil {
		t.Errorf("SHA256 of abc = %s, %d, %v", sum, size, err)
	}
	if _, _, err := durable.SHA256(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("SHA256 of nothing: %v, want fs.ErrNotExist", err)
	}
}
