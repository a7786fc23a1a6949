package model

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBase(t *testing.T) {
	t.Parallel()
	dir, adapter := t.TempDir(), t.TempDir()
	write := func(dir, name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := WeightsDigest(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no weights: %v", err)
	}
	write(dir, "model.safetensors", "weights")
	write(dir, "config.json", "{}")
	digest, err := WeightsDigest(dir)
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte("weights"))); err != nil || digest != want {
		t.Errorf("%s, %v, want %s", digest, err, want)
	}
	if _, err := ReadBase(adapter); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a whole model: %v", err)
	}
	b := Base{ModelID: "acme.m-v1", SHA256: digest}
	if err := b.Write(adapter); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadBase(adapter); err != nil || got != b || got.Check(dir) != nil {
		t.Errorf("%+v, %v, want %+v", got, err, b)
	}
	write(dir, "model-2.safetensors", "more")
	if err := b.Check(dir); err == nil || !strings.Contains(err.Error(), "acme.m-v1") {
		t.Errorf("other weights: %v", err)
	}
	for _, bad := range []string{"", "{", "{}", `{"baseModelId":"m"}`, `{"baseModelId":"m","sha256":"1"}`, strings.Repeat(" ", baseBytesMax+1)} {
		write(adapter, BaseFile, bad)
		if _, err := ReadBase(adapter); err == nil {
			t.Errorf("%.40q was accepted", bad)
		}
	}
}
