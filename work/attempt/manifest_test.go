package attempt

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeModel(t *testing.T, dir string) {
	t.Helper()
	for name, content := range map[string]string{"config.json": "{}", "model.safetensors": "weights", "sub/x": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSealAndVerify(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "model")
	writeModel(t, dir)
	digest, err := Seal(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Seal(dir)
	if err != nil || again != digest {
		t.Errorf("sealed again: %s, %v; want %s", again, err, digest)
	}
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := Verify(moved, digest); err != nil {
		t.Error(err)
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"missing": func(dir string) error { return os.Remove(filepath.Join(dir, "sub/x")) },
		"changed": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "model.safetensors"), []byte("Weights"), 0o600)
		},
		"shorter": func(dir string) error { return os.Truncate(filepath.Join(dir, "model.safetensors"), 3) },
		"extra":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "zzz"), nil, 0o600) },
		"renamed": func(dir string) error {
			return os.Rename(filepath.Join(dir, "config.json"), filepath.Join(dir, "config2.json"))
		},
		"link":             func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "a-link")) },
		"no manifest":      func(dir string) error { return os.Remove(filepath.Join(dir, ManifestFile)) },
		"another manifest": func(dir string) error { _, err := resealWith(dir, "zzz"); return err },
		"no JSON":          func(dir string) error { return os.WriteFile(filepath.Join(dir, ManifestFile), []byte("{"), 0o600) },
		"huge manifest": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, ManifestFile), []byte(strings.Repeat(" ", manifestBytesMax+1)), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeModel(t, dir)
			digest, err := Seal(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			if err := Verify(dir, digest); err == nil {
				t.Error("the damage was not found")
			}
		})
	}
}

// resealWith adds a file and seals the directory anew: it is whole, but not what was sealed.
func resealWith(dir, name string) (string, error) {
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		return "", err
	}
	return Seal(dir)
}

func TestVerifyNeedsVersion1(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, _ := json.Marshal(Manifest{Version: 2})
	if err := os.WriteFile(filepath.Join(dir, ManifestFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Verify(dir, hexDigest(b)); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("Verify = %v", err)
	}
}

func TestSealRefusesNothingAndLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Seal(dir); err == nil {
		t.Error("sealed an empty directory")
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	if _, err := Seal(dir); err == nil {
		t.Error("sealed a link")
	}
	if _, err := Seal(filepath.Join(dir, "missing")); err == nil {
		t.Error("sealed a directory that is not there")
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"abc": "abc", "abcdef": "abcdef", "abcdefg": "abc…", "ééé": "ééé", "éééé": "é…"} {
		if got := clip(in, 6); got != want {
			t.Errorf("clip(%q) = %q, want %q", in, got, want)
		}
	}
}
