package iam_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"outcrop.dev/outcrop/data/iam"
)

func TestLoadRootGeneratesOnceAndPrivately(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := iam.ReadRoot(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("ReadRoot of an empty directory: %v, want fs.ErrNotExist", err)
	}
	first, err := iam.LoadRoot(dir, iam.Key{})
	if err != nil {
		t.Fatal(err)
	}
	if len(first.AccessKeyID) != 20 || len(first.SecretAccessKey) != 40 {
		t.Errorf("key %q has %d and %d characters, want AWS's 20 and 40", first.AccessKeyID, len(first.AccessKeyID), len(first.SecretAccessKey))
	}
	second, err := iam.LoadRoot(dir, iam.Key{})
	if err != nil || second != first {
		t.Errorf("second load = %v, %v, want the first key", second, err)
	}
	info, err := os.Stat(filepath.Join(dir, iam.KeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file mode %v, %v, want 0600", info.Mode(), err)
	}
}

func TestLoadRootRefuses(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]iam.Key{
		"only the id":     {AccessKeyID: "AKIA"},
		"only the secret": {SecretAccessKey: "0123456789"},
		"slash in id":     {AccessKeyID: "A/B", SecretAccessKey: "0123456789"},
		"short secret":    {AccessKeyID: "AKIA", SecretAccessKey: "0123456"},
	} {
		if _, err := iam.LoadRoot(t.TempDir(), key); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	dir := t.TempDir()
	if _, err := iam.LoadRoot(dir, iam.Key{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, iam.KeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.LoadRoot(dir, iam.Key{}); err == nil {
		t.Error("a key file that others can read: accepted")
	}
}
