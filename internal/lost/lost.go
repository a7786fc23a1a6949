// Package lost keeps what nothing names any more: files that a crash left over, or that a
// database has no row for because it is not the one that wrote them. They are moved into a
// folder lost+found beside the place where they were found, under the time and their old
// name, and are deleted KeepFor later, or when somebody says so. So a missing row never
// deletes a file.
//
//	f := lost.Folder{Dir: filepath.Join(dir, lost.Name), Now: time.Now, Log: log}
//	err := f.Keep(path)
//	err = f.Expire()
//
// It knows nothing of what the files mean.
package lost

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop/internal/durable"
)

// Name is what the folder is called.
const Name = "lost+found"

// KeepFor is how long something stays: long enough that somebody who was away notices.
const KeepFor = 30 * 24 * time.Hour

// stampForm begins every name in the folder. It sorts by time.
const stampForm = "20060102T150405Z"

// loggedMax is how many files of one Keep have a line of their own in the log.
const loggedMax = 100

// Folder is a lost+found. It is made when something is first moved there.
type Folder struct {
	Dir string
	Now func() time.Time
	Log *slog.Logger
}

// Item is something that was found.
type Item struct {
	Path  string
	Since time.Time // when it was moved
	Bytes int64     // of a directory, of all files in it
}

// Keep moves files or directories, all on the folder's file system, into it, and lists them
// in the log. What cannot be moved stays where it is; the errors are returned together.
func (f Folder) Keep(paths ...string) error {
	if len(paths) == 0 {
		return nil
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("make lost+found: %w", err)
	}
	var failed error
	for i, path := range paths {
		to := f.name(path)
		if err := durable.Rename(path, to); err != nil {
			failed = errors.Join(failed, fmt.Errorf("keep what nothing names: %w", err))
		} else if i < loggedMax {
			f.Log.Warn("nothing names this: it is kept in lost+found", "was", path, "is", to, "deleted", f.Now().Add(KeepFor).UTC().Format(time.DateOnly))
		}
	}
	if more := len(paths) - loggedMax; more > 0 {
		f.Log.Warn("lost+found got more than is listed here", "more", more, "in", f.Dir)
	}
	return failed
}

// name returns a path in the folder that is free.
func (f Folder) name(path string) string {
	stamp := f.Now().UTC().Format(stampForm) + "-" + filepath.Base(path)
	to := filepath.Join(f.Dir, stamp)
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return to
		}
		to = filepath.Join(f.Dir, fmt.Sprintf("%s.%d", stamp, n))
	}
}

// Expire deletes what has been there for KeepFor.
func (f Folder) Expire() error {
	items, err := List(f.Dir)
	for _, item := range items {
		if f.Now().Sub(item.Since) < KeepFor {
			continue
		}
		f.Log.Warn("deleted from lost+found", "file", item.Path, "since", item.Since.Format(time.DateOnly))
		err = errors.Join(err, os.RemoveAll(item.Path))
	}
	return err
}

// List returns what a lost+found holds, the oldest first. What has no time in its name was not
// put there by Keep and is left out. A folder that is not there is empty.
func List(dir string) ([]Item, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var items []Item
	for _, e := range entries {
		since, ok := stampOf(e.Name())
		if !ok {
			continue
		}
		item := Item{Path: filepath.Join(dir, e.Name()), Since: since}
		var sizeErr error
		item.Bytes, sizeErr = size(item.Path)
		err = errors.Join(err, sizeErr)
		items = append(items, item)
	}
	return items, err
}

func stampOf(name string) (time.Time, bool) {
	if len(name) <= len(stampForm) || name[len(stampForm)] != '-' {
		return time.Time{}, false
	}
	t, err := time.Parse(stampForm, name[:len(stampForm)])
	return t, err == nil
}

func size(path string) (total int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
