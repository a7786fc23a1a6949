package customize

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"outcrop.dev/outcrop"
)

// Bases knows the digests of base models. To read one may take minutes. So each is read once, in the
// background, and again when its files look different.
type Bases struct {
	read func(dir, baseDir string) (string, error)

	mu    sync.Mutex
	known map[outcrop.ModelFiles]base
}

// base is what is known of a model.
type base struct {
	looks  string // when it was read
	digest string // "" while it is read, and if that failed
}

// NewBases returns digests that read takes from the files.
func NewBases(read func(dir, baseDir string) (string, error)) *Bases {
	return &Bases{read: read, known: map[outcrop.ModelFiles]base{}}
}

// Digest returns a model's digest, "" while it is not known. It does not wait.
func (b *Bases) Digest(files outcrop.ModelFiles) string {
	looks := looksOf(files)
	b.mu.Lock()
	defer b.mu.Unlock()
	if have, ok := b.known[files]; ok && have.looks == looks {
		return have.digest
	}
	b.known[files] = base{looks: looks}
	go b.find(files, looks)
	return ""
}

func (b *Bases) find(files outcrop.ModelFiles, looks string) {
	digest, err := b.read(files.Dir, files.BaseDir)
	if err != nil || looksOf(files) != looks {
		digest = "" // half of it was another's, perhaps; the worker, who reads it too, says what is wrong
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known[files].looks == looks {
		b.known[files] = base{looks, digest}
	}
}

// looksOf says how the files of a model look without being read: names, sizes, times.
func looksOf(files outcrop.ModelFiles) string {
	var looks strings.Builder
	for _, dir := range []string{files.Dir, files.BaseDir} {
		entries, _ := os.ReadDir(dir) // one that cannot be read looks like none
		for _, e := range entries {
			if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil {
				fmt.Fprintln(&looks, e.Name(), info.Size(), info.ModTime().UnixNano())
			}
		}
	}
	return looks.String()
}
