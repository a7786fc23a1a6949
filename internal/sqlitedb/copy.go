package sqlitedb

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	"outcrop.dev/outcrop/internal/durable"
)

// Copy writes the database at path, as it is at one moment, to a new file, also while others write
// to it.
func Copy(ctx context.Context, to, path string) error {
	db, err := sql.Open("sqlite", dsn(path, busyTimeoutMS, ""))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	if err := durable.SyncTree(to); err != nil { // SQLite does not sync what it makes so
		return err
	}
	return durable.SyncDir(filepath.Dir(to))
}
