package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/data/store/sqlite"
	"outcrop.dev/outcrop/models"
	"outcrop.dev/outcrop/models/catalog"
)

// OpenModels returns the models of a data directory, until done. A server may run there. Where none
// has ever run there are none.
func OpenModels(ctx context.Context, dataDir string, clock func() time.Time) (m *models.Models, done func() error, err error) {
	if _, err := checkFormat(dataDir, "outcrop"); err != nil {
		return nil, nil, err
	}
	foundation, err := catalog.Read(dataDir) // which looks again whenever it is asked
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	rows, done, err := openRows(ctx, filepath.Join(dataDir, databaseFile), clock)
	if err != nil {
		return nil, nil, err
	}
	return models.New(foundation, rows, filepath.Join(dataDir, modelsDir)), done, nil
}

// openRows opens a database, beside a server that may run; none is like an empty one.
func openRows(ctx context.Context, path string, clock func() time.Time) (outcrop.Store, func() error, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return memory.New(clock), func() error { return nil }, nil
	}
	rows, err := sqlite.Open(ctx, path, clock)
	if err != nil {
		return nil, nil, fmt.Errorf("open the database: %w", err)
	}
	return rows, rows.Close, nil
}
