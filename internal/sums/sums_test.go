package sums_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outcrop.dev/outcrop/internal/sums"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Every bit of every file counts, and so do their lengths; the error names the file.
func TestCheck(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, n := range []int{0, 1, mib - 1, mib, mib + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "model.safetensors")
			content := []byte(strings.Repeat("w", n))
			write := func(b []byte) { t.Helper(); must(t, os.WriteFile(path, b, 0o600)) }
			wrong := func(what string) {
				t.Helper()
				if err := sums.Check(t.Context(), dir, nil); !errors.Is(err, sums.ErrDamaged) || !strings.Contains(err.Error(), "model.safetensors") {
					t.Errorf("%s: %v", what, err)
				}
			}
			write(content)
			must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
			must(t, sums.Check(t.Context(), dir, nil)) // nothing is known
			must(t, os.WriteFile(filepath.Join(dir, "README.md"), nil, 0o600))
			must(t, sums.Write(t.Context(), dir, "README.md"))
			must(t, os.WriteFile(filepath.Join(dir, "README.md"), []byte("changed"), 0o600))
			must(t, os.WriteFile(filepath.Join(dir, "later"), nil, 0o600))
			must(t, sums.Check(t.Context(), dir, nil))
			for _, at := range []int{0, n / 2, n - 1} {
				if at >= 0 && at < n {
					b := append([]byte{}, content...)
					b[at] ^= 1
					write(b)
					wrong(fmt.Sprint("byte ", at))
				}
			}
			write(append(content, 0))
			wrong("longer")
			if n > 0 {
				write(content[:n-1])
				wrong("shorter")
			}
			must(t, os.Remove(path))
			wrong("removed")
		})
	}
}

// A file of checksums that is not one is an error; it cannot have files elsewhere read.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", `[{"name":"../x","size":0,"crc32c":[]}]`, `[{"name":"/etc/passwd","size":0,"crc32c":[]}]`} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, sums.File), []byte(text), 0o600))
		if err := sums.Check(t.Context(), dir, nil); !errors.Is(err, sums.ErrDamaged) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	dir := b.TempDir()
	must(b, os.WriteFile(filepath.Join(dir, "model.safetensors"), make([]byte, 256<<20), 0o600))
	must(b, sums.Write(b.Context(), dir))
	b.SetBytes(256 << 20)
	for b.Loop() {
		must(b, sums.Check(b.Context(), dir, nil))
	}
}
