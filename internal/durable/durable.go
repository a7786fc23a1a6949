// Package durable writes files that must survive a crash: into a temporary file beside the
// target, fsync, rename, fsync of the directory. A reader sees the old file or the new one,
// whole; when a call returns nil the new one is on disk.
//
// A failed fsync is returned and must not be retried: the kernel may have dropped the pages
// (https://wiki.postgresql.org/wiki/Fsync_Errors). It knows no format.
package durable

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// TempSuffix ends the name of a file that is being written. A file that still has it was
// left by a crash and may be removed.
const TempSuffix = ".tmp"

// WriteFile replaces path by what write writes. If write fails, path is untouched and the
// temporary file is removed. It returns write's error or the file system's; after a failed
// fsync the state of the disk is unknown and the caller should stop.
func WriteFile(path string, perm os.FileMode, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+TempSuffix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("fsync %s: %w", f.Name(), err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return Rename(f.Name(), path)
}

// WriteBytes is WriteFile for content that is in memory.
func WriteBytes(path string, perm os.FileMode, content []byte) error {
	return WriteFile(path, perm, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// CopyFile is WriteFile for the content of the file from. fs.ErrNotExist if there is none.
func CopyFile(to, from string, perm os.FileMode) error {
	return CopyFileContext(context.Background(), to, from, perm)
}

// CopyFileContext is CopyFile, but ends with ctx's error when ctx does: a model's files are large.
func CopyFileContext(ctx context.Context, to, from string, perm os.FileMode) error {
	f, err := Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return WriteFile(to, perm, func(w io.Writer) error { return Copy(ctx, w, f) })
}

// copyBytes is how much is copied between two looks at the context: the kernel may do that at
// once, or a slow disk in a second.
const copyBytes = 64 << 20

// Copy is io.Copy, but ends with ctx's error when ctx does.
func Copy(ctx context.Context, w io.Writer, r io.Reader) error {
	for ctx.Err() == nil {
		if _, err := io.CopyN(w, r, copyBytes); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// SHA256 returns the checksum of a file's content, in hex, and how many bytes it is. It reads
// all of them.
func SHA256(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
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

// SyncDir makes the names in dir durable: what was created, renamed or removed in it.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("fsync %s: %w", dir, err)
	}
	return nil
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
