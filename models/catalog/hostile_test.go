package catalog

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/durable"
)

// folder writes the tiny model into a new folder.
func folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tricks put something else in the place of a file. secret is a file that the folder must not reach.
var tricks = map[string]func(path, secret string, was []byte) error{
	"a pipe":      func(path, _ string, _ []byte) error { return unix.Mkfifo(path, 0o600) },
	"a directory": func(path, _ string, _ []byte) error { return os.Mkdir(path, 0o700) },
	"a socket": func(path, _ string, _ []byte) error {
		at, err := os.Getwd()
		if err == nil {
			path, err = filepath.Rel(at, path) // the name of a socket is short
		}
		if err == nil {
			_, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		}
		return err
	},
	"a link to a secret":    func(path, secret string, _ []byte) error { return os.Symlink(secret, path) },
	"a link to a device":    func(path, _ string, _ []byte) error { return os.Symlink("/dev/zero", path) },
	"a link to nothing":     func(path, _ string, _ []byte) error { return os.Symlink("nothing", path) },
	"a link to itself":      func(path, _ string, _ []byte) error { return os.Symlink(filepath.Base(path), path) },
	"a link to a directory": func(path, _ string, _ []byte) error { return os.Symlink(".", path) },
	"nothing":               func(string, string, []byte) error { return nil },
	"an empty file":         func(path, _ string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
	"half of it":            func(path, _ string, was []byte) error { return os.WriteFile(path, was[:len(was)/2], 0o600) },
	"noughts":               func(path, _ string, was []byte) error { return os.WriteFile(path, make([]byte, len(was)), 0o600) },
	"null":                  func(path, _ string, _ []byte) error { return os.WriteFile(path, []byte("null"), 0o600) },
	"a deep list": func(path, _ string, _ []byte) error {
		return os.WriteFile(path, []byte(strings.Repeat("[", 100_000)), 0o600)
	},
	"a great file": func(path, _ string, _ []byte) error {
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			return err
		}
		return os.Truncate(path, 50<<30) // of holes
	},
}

// TestHostileFolders: whatever stands in the place of each file of a model, adding it ends soon, in
// an added model or in a sentence, and the catalog never has a secret of the operator or a great file.
func TestHostileFolders(t *testing.T) {
	t.Parallel()
	files := tiny(t)
	for _, name := range []string{"README.md", "LICENSE", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json"} {
		if files[name] == nil {
			files[name] = []byte("{}")
		}
	}
	files["chat_template.jinja"] = []byte(`{% for m in messages %}{{ '<|bos|>' + m.content + '<|eos|>' }}{% endfor %}`)
	_, dataDir := opened(t)
	const secretText = "the operator's secret"
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(secretText), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(t.Context(), dataDir, folder(t, files), Addition{ID: "acme.plain"}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range []string{"config.json", "tokenizer.json", "model.safetensors", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json", "generation_config.json", "README.md", "LICENSE"} {
		for trick, play := range tricks {
			dir := folder(t, files)
			path := filepath.Join(dir, name)
			if err := errors.Join(os.Remove(path), play(path, secret, files[name])); err != nil {
				t.Fatal(trick, err)
			}
			n++
			ended := make(chan error, 1)
			go func() {
				_, err := Add(t.Context(), dataDir, dir, Addition{ID: fmt.Sprintf("acme.m%d", n)})
				ended <- err
			}()
			var err error
			select {
			case err = <-ended:
			case <-time.After(time.Minute):
				t.Fatalf("%s in place of %s: no end", trick, name)
			}
			if code := outcrop.CodeOf(err); err != nil && code != outcrop.CodeValidation && code != outcrop.CodeQuotaExceeded {
				t.Errorf("%s in place of %s: %s, %v", trick, name, code, err)
			}
			must := strings.HasPrefix(trick, "a ") && trick != "a deep list" && !(trick == "a great file" && name == "model.safetensors")
			if must && err == nil {
				t.Errorf("%s in place of %s: added", trick, name)
			}
		}
	}
	t.Logf("%d hostile folders", n)
	err := filepath.WalkDir(dataDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if b, err := os.ReadFile(path); err != nil || strings.Contains(string(b), secretText) || len(b) > 64<<20 {
			t.Errorf("%s has %d bytes: %v", path, len(b), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestOnlyWantedFiles: what is not wanted is neither opened nor copied, however it lies there.
func TestOnlyWantedFiles(t *testing.T) {
	t.Parallel()
	_, dataDir := opened(t)
	dir := folder(t, tiny(t))
	great := filepath.Join(dir, "great.dat")
	for _, err := range []error{
		unix.Mkfifo(filepath.Join(dir, "notes.txt"), 0o600), os.Symlink("/etc/passwd", filepath.Join(dir, "passwd.json")),
		os.WriteFile(great, nil, 0o600), os.Truncate(great, 50<<30),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	m, err := Add(t.Context(), dataDir, dir, Addition{ID: "acme.wanted"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"notes.txt", "passwd.json", "great.dat"} {
		if _, err := os.Lstat(filepath.Join(m.Dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is in the catalog: %v", name, err)
		}
	}
}

// TestLinksThatAreFollowed: within the folder, and in the cache of Hugging Face's tools to its blobs; a
// cache whose blobs are themselves a link leads nowhere.
func TestLinksThatAreFollowed(t *testing.T) {
	t.Parallel()
	_, dataDir := opened(t)
	cache := func(blobs func(hub, elsewhere string) error) string {
		hub := filepath.Join(t.TempDir(), "models--acme--small")
		dir, elsewhere := filepath.Join(hub, "snapshots", "abc"), t.TempDir()
		if err := errors.Join(os.MkdirAll(dir, 0o700), blobs(hub, elsewhere)); err != nil {
			t.Fatal(err)
		}
		for name, b := range tiny(t) {
			if err := errors.Join(os.WriteFile(filepath.Join(hub, "blobs", name+"-blob"), b, 0o600), os.Symlink("../../blobs/"+name+"-blob", filepath.Join(dir, name))); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	real := cache(func(hub, _ string) error { return os.Mkdir(filepath.Join(hub, "blobs"), 0o700) })
	if _, err := Add(t.Context(), dataDir, real, Addition{ID: "acme.cache"}); err != nil {
		t.Error(err)
	}
	feigned := cache(func(hub, elsewhere string) error { return os.Symlink(elsewhere, filepath.Join(hub, "blobs")) })
	if _, err := Add(t.Context(), dataDir, feigned, Addition{ID: "acme.feigned"}); err == nil || !strings.Contains(err.Error(), "outside of the folder") {
		t.Errorf("a cache whose blobs are a link: %v", err)
	}
	within := folder(t, tiny(t))
	if err := errors.Join(os.Rename(filepath.Join(within, "config.json"), filepath.Join(within, "c")), os.Symlink("c", filepath.Join(within, "config.json"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(t.Context(), dataDir, within, Addition{ID: "acme.within"}); err != nil {
		t.Error(err)
	}
}

// TestDiskIsAskedFirst: at the limit of the free disk there is room, and for a megabyte more not.
func TestDiskIsAskedFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	free, err := durable.FreeDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		size int64
		want bool
	}{{max(free-durable.DiskSpare-64<<20, 0), free > durable.DiskSpare}, {free, false}} {
		s := &source{dir: "m", files: []sourceFile{{name: "model.safetensors", size: x.size}}}
		if err := s.checkDisk(dir, false); (err == nil) != x.want && x.size > 0 {
			t.Errorf("%d of %d bytes: %v", x.size, free, err)
		}
	}
}

// TestHostileTokenizer: the smallest models that would take the server's memory or its time are
// refused by name.
func TestHostileTokenizer(t *testing.T) {
	t.Parallel()
	_, dataDir := opened(t)
	replace := fmt.Sprintf(`{"type":"Replace","pattern":{"String":"Ω"},"content":%q}`, strings.Repeat("Ω", 1000))
	for i, x := range []struct{ part, want string }{
		{`"normalizer":{"type":"Sequence","normalizers":[` + strings.Repeat(replace+",", 3) + replace + `]},`, "makes more than"},
		{`"normalizer":{"type":"Replace","pattern":{"Regex":"(a+)+$"},"content":"x"},`, `"(a+)+$" takes more than 100ms`},
	} {
		files := tiny(t)
		files["tokenizer.json"] = regexp.MustCompile(`"normalizer":\s*null,`).ReplaceAllLiteral(files["tokenizer.json"], []byte(x.part))
		_, err := Add(t.Context(), dataDir, folder(t, files), Addition{ID: fmt.Sprintf("acme.t%d", i)})
		if outcrop.CodeOf(err) != outcrop.CodeValidation || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%.60s: %v, want %q", x.part, err, x.want)
		}
	}
}
