package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"outcrop.dev/outcrop/data/blob/disk"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/internal/sums"
	"outcrop.dev/outcrop/models/catalog"
)

// The pace of the background scrub of models.
const (
	scrubEvery = 24 * time.Hour   // each model is looked at so often
	scrubAfter = time.Minute      // but not while the server starts
	scrubRetry = time.Minute      // after an error
	scrubPause = time.Second / 16 // after each MiB
)

// modelScrub gives models their checksums as soon as they are there, and compares: slowly in the
// background, and when a model is loaded.
type modelScrub struct {
	roots []string // folders of model directories
	log   *slog.Logger
	now   func() time.Time
	bell  pause.Bell

	mu      sync.Mutex
	damaged map[string]bool
}

func newModelScrub(dataDir string, log *slog.Logger, now func() time.Time) *modelScrub {
	return &modelScrub{
		roots: []string{filepath.Join(dataDir, modelsDir), filepath.Join(dataDir, catalog.Dir)},
		log:   log, now: now, bell: pause.NewBell(), damaged: map[string]bool{},
	}
}

// Run works until ctx ends. It looks for new models when the bell rings.
func (m *modelScrub) Run(ctx context.Context) error {
	next := m.now().Add(scrubAfter)
	pause.Loop(ctx, m.bell, func(ctx context.Context) time.Duration {
		err := m.each(func(dir string) error { return m.give(ctx, dir) })
		if left := next.Sub(m.now()); err == nil && left > 0 {
			return left
		}
		if err == nil {
			err = m.each(func(dir string) error {
				return m.compare(ctx, dir, func() error { return pause.For(ctx, scrubPause, nil) })
			})
		}
		if err == nil {
			next = m.now().Add(scrubEvery)
			return scrubEvery
		}
		if ctx.Err() == nil {
			m.log.Error("compare models with their checksums; it will be tried again", "error", err)
		}
		return scrubRetry
	})
	return nil
}

// each calls f for every directory of a model.
func (m *modelScrub) each(f func(dir string) error) error {
	for _, root := range m.roots {
		entries, err := os.ReadDir(root)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			dir := filepath.Join(root, e.Name())
			if !isModel(dir) {
				continue
			}
			if err := f(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
				return err
			}
		}
	}
	return nil
}

func isModel(dir string) bool {
	for _, name := range []string{model.ConfigFile, model.AdapterConfigFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// changing are the files of a model that people may edit: they are not what it answers by.
var changing = []string{"README.md", catalog.EntryFile}

func (m *modelScrub) give(ctx context.Context, dir string) error {
	if sums.Have(dir) {
		return nil
	}
	return sums.Write(ctx, dir, changing...)
}

// compare notes what is damaged; that is no error.
func (m *modelScrub) compare(ctx context.Context, dir string, rest func() error) error {
	err := m.note(dir, sums.Check(ctx, dir, rest))
	if errors.Is(err, sums.ErrDamaged) {
		return nil
	}
	return err
}

// Check compares a model before it is loaded. Error: sums.ErrDamaged.
func (m *modelScrub) Check(dir string) error {
	return m.note(dir, sums.Check(context.Background(), dir, nil))
}

// note remembers whether a model is damaged, which is an event of the log when it is found, and
// returns err.
func (m *modelScrub) note(dir string, err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		delete(m.damaged, dir)
	case errors.Is(err, sums.ErrDamaged) && !m.damaged[dir]:
		m.damaged[dir] = true
		m.log.Error("a model is damaged: put its directory back from a backup, or delete it and make it again", "directory", dir, "error", err)
	}
	return err
}

// Damaged returns how many models are known to be damaged, and are still there.
func (m *modelScrub) Damaged() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for dir := range m.damaged {
		if !isModel(dir) {
			delete(m.damaged, dir)
		}
	}
	return len(m.damaged)
}

// ScrubReport says what Scrub has seen.
type ScrubReport struct {
	Files   int64    `json:"files"`  // of objects
	Bytes   int64    `json:"bytes"`  // of them
	New     int64    `json:"new"`    // how many of them had no checksums before
	Models  int      `json:"models"` // directories
	Damaged []string `json:"damaged"`
}

// Scrub compares all that is stored in a data directory with its checksums, also while a server
// uses it. What has none gets them. Errors are those of the file system; damage is in the report.
func Scrub(ctx context.Context, dataDir string, now func() time.Time, log *slog.Logger) (ScrubReport, error) {
	objects, err := disk.Scrub(ctx, filepath.Join(dataDir, objectsDir), disk.Options{Now: now, Rand: rand.Reader, Log: log})
	r := ScrubReport{Files: objects.Files, Bytes: objects.Bytes, New: objects.New, Damaged: []string{}}
	if err != nil {
		return r, err
	}
	for _, path := range objects.Damaged {
		r.Damaged = append(r.Damaged, filepath.Join(objectsDir, path))
	}
	m := newModelScrub(dataDir, log, now)
	err = m.each(func(dir string) error {
		r.Models++
		err := m.give(ctx, dir)
		if err == nil {
			err = m.note(dir, sums.Check(ctx, dir, nil))
		}
		if errors.Is(err, sums.ErrDamaged) {
			rel, relErr := filepath.Rel(dataDir, dir)
			r.Damaged = append(r.Damaged, fmt.Sprintf("%s: %v", rel, err))
			return relErr
		}
		return err
	})
	return r, err
}
