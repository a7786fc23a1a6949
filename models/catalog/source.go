package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/durable"
)

// source is a stranger's folder that a model is added from. Only the files that `outcrop models pull`
// would download are looked at: what else lies there is neither opened nor copied.
type source struct {
	dir   string // without links
	files []sourceFile
}

type sourceFile struct {
	name, path string // path is without links
	size       int64
	device     uint64
}

// newSource finds the files of a folder. The error says which is not a regular file, or a
// link that leads elsewhere.
func newSource(dir string) (*source, error) {
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, err
	}
	s := &source{dir: real}
	if err := s.take(append([]string{safetensors.SingleFile, safetensors.IndexFile}, outcrop.TextFiles...)); err != nil {
		return nil, err
	}
	weights, err := safetensors.Files(real)
	if err != nil {
		return s, nil // examine finds it out, too, after what is told first
	}
	if err := s.take(weights); err != nil {
		return nil, err
	}
	// The index of weights that lie in one file is not read, and would count in the model's digest.
	s.files = slices.DeleteFunc(s.files, func(f sourceFile) bool {
		return !slices.Contains(outcrop.TextFiles, f.name) && !slices.Contains(weights, f.name)
	})
	return s, nil
}

// take adds those of the files that are there.
func (s *source) take(names []string) error {
	for _, name := range names {
		if slices.ContainsFunc(s.files, func(f sourceFile) bool { return f.name == name }) {
			continue
		}
		f, err := s.find(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // what is needed is missed by those who read it
		}
		if err != nil {
			return err
		}
		s.files = append(s.files, f)
	}
	return nil
}

func (s *source) find(name string) (sourceFile, error) {
	path := filepath.Join(s.dir, name)
	if _, err := os.Lstat(path); err != nil {
		return sourceFile{}, err
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sourceFile{}, fmt.Errorf("%s is a link to nothing: put the file itself in its place, or remove it", name)
	}
	if err != nil {
		return sourceFile{}, err
	}
	if !s.holds(real) {
		return sourceFile{}, fmt.Errorf("%s is a link to %s, outside of the folder: only links within it, and into the blobs of the hub's cache, are followed. Put the file itself in its place, or remove it", name, real)
	}
	f, err := durable.Open(real)
	if err != nil {
		return sourceFile{}, fmt.Errorf("%w: put the file itself in its place, or remove it", err)
	}
	defer f.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return sourceFile{}, err
	}
	if slices.Contains(outcrop.TextFiles, name) && stat.Size > outcrop.TextBytesMax {
		return sourceFile{}, fmt.Errorf("%s has %d bytes, more than %d: remove it, or mend it", name, stat.Size, outcrop.TextBytesMax)
	}
	return sourceFile{name, real, stat.Size, stat.Dev}, nil
}

// holds reports whether a path without links lies in the folder, or in the blobs beside it in the cache
// of Hugging Face's own tools, whose snapshots are links there.
func (s *source) holds(path string) bool {
	inside := func(dir string) bool { return strings.HasPrefix(path, dir+string(filepath.Separator)) }
	return inside(s.dir) || hubCache.MatchString(s.dir) && inside(filepath.Join(filepath.Dir(filepath.Dir(s.dir)), "blobs"))
}

// checkDisk says beforehand if there is no room for what is copied into the directory to.
func (s *source) checkDisk(to string, link bool) error {
	var at unix.Stat_t
	if err := unix.Stat(to, &at); err != nil {
		return err
	}
	need := int64(0)
	for _, f := range s.files {
		if !link || f.device != at.Dev {
			need += f.size
		}
	}
	free, err := durable.FreeDisk(to)
	if err != nil {
		return err
	}
	if need > 0 && free < need+durable.DiskSpare {
		return outcrop.Errorf(outcrop.CodeQuotaExceeded, "There is no room for the model in %s: it has %d MB, and %s has %d MB free, of which %d stay so. Make room, or use --link on one disk.",
			s.dir, need>>20, filepath.Dir(to), free>>20, int64(durable.DiskSpare)>>20)
	}
	return nil
}
