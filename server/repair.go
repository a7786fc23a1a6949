package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop/data/blob/disk"
)

// Repair makes the index of the objects anew if it cannot be opened: see disk.Repair. It refuses a
// data directory that a server uses.
func Repair(ctx context.Context, dataDir string, now func() time.Time, log *slog.Logger) (r disk.RepairReport, err error) {
	if _, err := checkFormat(dataDir, "outcrop"); err != nil {
		return r, err
	}
	lock, err := lockDir(dataDir)
	if err != nil {
		return r, err
	}
	r, err = disk.Repair(ctx, filepath.Join(dataDir, objectsDir), disk.Options{Now: now, Rand: rand.Reader, Log: log})
	return r, errors.Join(err, lock.Unlock())
}
