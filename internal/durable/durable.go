// Package durable writes files that must survive a crash: after a call returns nil, what it
// did is on disk; if the machine dies before, the old state is there, whole.
//
// A failed fsync is returned and must not be retried: the kernel may have dropped the pages
// (https://wiki.postgresql.org/wiki/Fsync_Errors).
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile replaces path by data: temporary file, fsync, rename, fsync of the directory.
func WriteFile(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(writeSynced(f, data, mode), f.Close()); err != nil {
		return err
	}
	return Rename(f.Name(), path)
}

func writeSynced(f *os.File, data []byte, mode fs.FileMode) error {
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// Rename moves old to new, both on one file system, and makes the move durable. The content
// of old must have been synced before.
func Rename(old, new string) error {
	if err := os.Rename(old, new); err != nil {
		return err
	}
	if err := SyncDir(filepath.Dir(new)); err != nil {
		return err
	}
	if filepath.Dir(old) != filepath.Dir(new) {
		return SyncDir(filepath.Dir(old))
	}
	return nil
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// SyncTree makes a directory's files and names durable, all the way down.
func SyncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return SyncDir(path) // Sync works the same on a file opened for reading
	})
}
