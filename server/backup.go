package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"outcrop.dev/outcrop/data/blob/disk"
	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/internal/sqlitedb"
	"outcrop.dev/outcrop/models/catalog"
)

// backupFile is written when a backup is complete; without it there is none.
const backupFile = "backup.json"

// BackupReport says what Backup or Restore has copied.
type BackupReport struct {
	Made time.Time `json:"made"`
	ScrubReport
}

// What a backup has of a data directory. The rest is of the process that runs, or can be made again.
var (
	backupDatabases = []string{databaseFile, usageFile, filepath.Join(objectsDir, "index.db")}
	backupFiles     = []string{iam.KeyFile, formatFile}
	backupTrees     = []string{
		filepath.Join(objectsDir, "data"), filepath.Join(objectsDir, "notes"), filepath.Join(objectsDir, "sums"), modelsDir, catalog.Dir,
	}
)

// Backup copies a data directory to the new directory to, also while a server uses it, and compares
// the copy with its checksums.
func Backup(ctx context.Context, dataDir, to string, now func() time.Time, log *slog.Logger) (r BackupReport, err error) {
	if _, err := os.Stat(filepath.Join(dataDir, databaseFile)); err != nil {
		return r, fmt.Errorf("there is nothing to back up: %w", err)
	}
	if err := emptyDir(to); err != nil {
		return r, err
	}
	r.Made = now().UTC()
	if err := (copier{ctx, to, dataDir}).backup(); err != nil {
		return r, err
	}
	if r.ScrubReport, err = Scrub(ctx, to, now, log); err != nil || len(r.Damaged) > 0 {
		return r, err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return r, err
	}
	return r, durable.WriteBytes(filepath.Join(to, backupFile), 0o600, append(b, '\n'))
}

// Restore makes a new data directory of a backup, and compares it with its checksums.
func Restore(ctx context.Context, backup, dataDir string, now func() time.Time, log *slog.Logger) (r BackupReport, err error) {
	b, err := os.ReadFile(filepath.Join(backup, backupFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s is no backup that was completed: it has no %s", backup, backupFile)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", filepath.Join(backup, backupFile), err)
	}
	if err := emptyDir(dataDir); err != nil {
		return r, err
	}
	c := copier{ctx, dataDir, backup}
	if err := errors.Join(c.trees(), c.databases(), c.files()); err != nil {
		return r, err
	}
	r.ScrubReport, err = Scrub(ctx, dataDir, now, log)
	return r, err
}

// emptyDir makes a directory, which may be there if nothing is in it.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: name a new directory", dir)
	}
	return err
}

// copier copies parts of a data directory.
type copier struct {
	ctx      context.Context
	to, from string
}

// backup copies the files, then the databases, then the files that have come since. No file of an
// object is removed meanwhile, so what the databases name has been copied.
func (c copier) backup() (err error) {
	release, err := disk.Hold(filepath.Join(c.from, objectsDir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	for _, step := range []func() error{c.trees, c.databases, c.trees, c.files} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c copier) databases() error {
	for _, name := range backupDatabases {
		from, to := filepath.Join(c.from, name), filepath.Join(c.to, name)
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), sqlitedb.Copy(c.ctx, to, from)); err != nil {
			return err
		}
	}
	return nil
}

func (c copier) files() error {
	for _, name := range backupFiles {
		if err := c.file(name, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// trees copies what is not there yet, or has changed since.
func (c copier) trees() error {
	for _, root := range backupTrees {
		// With a slash at its end, a folder that is a link to another disk is a folder.
		err := filepath.WalkDir(filepath.Join(c.from, root)+string(filepath.Separator), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // deleted meanwhile, or there never was one
			}
			if err != nil {
				return err
			}
			name, err := filepath.Rel(c.from, path)
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == lost.Name:
				return fs.SkipDir
			case d.IsDir():
				return os.MkdirAll(filepath.Join(c.to, name), 0o700)
			case !d.Type().IsRegular() || strings.HasSuffix(name, durable.TempSuffix):
				return nil
			}
			return c.file(name, 0o600)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// file copies one file, unless it has been copied and has not changed. One that is not there is none.
func (c copier) file(name string, perm fs.FileMode) error {
	from, to := filepath.Join(c.from, name), filepath.Join(c.to, name)
	have, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if copied, err := os.Stat(to); err == nil && copied.Size() == have.Size() && copied.ModTime().Equal(have.ModTime()) {
		return nil
	}
	if err := durable.CopyFileContext(c.ctx, to, from, perm); errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile
	} else if err != nil {
		return err
	}
	return os.Chtimes(to, have.ModTime(), have.ModTime())
}
