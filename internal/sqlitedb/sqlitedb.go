// Package sqlitedb opens an SQLite database the one way this project uses it: write-ahead
// log, every commit synced to disk before it returns (synchronous=FULL), one connection
// that writes and several that only read, schema brought up to date on opening.
//
// It knows no table. A room keeps its schema beside its code as goose migrations:
//
//	//go:embed migrations/*.sql
//	var migrations embed.FS
//
//	db, err := sqlitedb.Open(ctx, filepath.Join(dir, "index.db"), migrations)
//
// where each file is NNNNN_name.sql, holds "-- +goose Up" and lies in a folder called
// migrations (or at the root) of the file system.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"outcrop.dev/outcrop/internal/durable"
)

const (
	// readersMax is how many connections may read at once; each holds a page cache, and
	// more than a few do not help on the machines we serve.
	readersMax = 8

	// busyTimeoutMS is how long a statement waits for a lock of another process. Within one
	// process nobody waits for it, because there is one writing connection.
	busyTimeoutMS = 10_000
)

// ErrNewerSchema is returned by Open for a database that a later version of the program
// has migrated.
var ErrNewerSchema = errors.New("the database was written by a newer version of this program; use that version, or restore a backup")

// DB is an open database. Writer has a single connection, so transactions on it are
// serial and begin with the write lock held; Reader refuses to write.
type DB struct {
	Writer *sql.DB
	Reader *sql.DB
	mark   *mark // nil for a database that nothing guards
}

// Open opens the database file at path, creating it if need be, and applies the migrations
// that it has not seen. Errors: those of the file system and of SQLite, and ErrNewerSchema.
func Open(ctx context.Context, path string, migrations fs.FS) (*DB, error) {
	writer, err := sql.Open("sqlite", dsn(path, "_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	if err := migrate(ctx, writer, migrations); err != nil {
		writer.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// SQLite syncs the directory for its log, but not for the database file itself.
	if err := durable.SyncDir(filepath.Dir(path)); err != nil {
		writer.Close()
		return nil, err
	}
	reader, err := sql.Open("sqlite", dsn(path, "_pragma=query_only(1)"))
	if err != nil {
		writer.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	reader.SetMaxOpenConns(readersMax)
	reader.SetMaxIdleConns(readersMax)
	return &DB{Writer: writer, Reader: reader}, nil
}

// Close closes both handles; the last connection folds the log into the database file.
func (db *DB) Close() error {
	err := errors.Join(db.Reader.Close(), db.Writer.Close())
	if db.mark != nil {
		err = errors.Join(err, db.mark.close())
	}
	return err
}

// Update runs f in one transaction of the writing connection and commits it: when Update
// returns nil, what f wrote is on disk. Any error of f rolls back and is returned as is.
func (db *DB) Update(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.Writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after Commit
	if err := f(tx); err != nil {
		return err
	}
	if db.mark == nil {
		return tx.Commit()
	}
	number, err := db.mark.next(ctx, tx)
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	db.mark.acknowledge(number)
	return nil
}

// View runs f in one read transaction, so that all its queries see the same moment.
func (db *DB) View(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.Reader.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(tx)
}

// dsn names the file and the pragmas that every connection sets. The path is escaped: a
// directory may be called "a?b".
func dsn(path, extra string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	u.RawQuery = fmt.Sprintf("_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&%s", busyTimeoutMS, extra)
	return u.String()
}

func migrate(ctx context.Context, db *sql.DB, migrations fs.FS) error {
	if sub, err := fs.Sub(migrations, "migrations"); err == nil {
		if _, err := fs.Stat(sub, "."); err == nil {
			migrations = sub
		}
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	sources := p.ListSources()
	if have > sources[len(sources)-1].Version {
		return ErrNewerSchema
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
