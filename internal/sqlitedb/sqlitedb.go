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
	"outcrop.dev/outcrop/internal/reserve"
)

const (
	// readersMax is how many connections may read at once; each holds a page cache, and
	// more than a few do not help on the machines we serve.
	readersMax = 8

	// busyTimeoutMS is how long a statement that reads waits for a lock of another process, which is
	// hardly ever there. The writing connection does not wait itself: patiently does.
	busyTimeoutMS = 4_000
)

// ErrNewerSchema is returned by Open for a database that a later version of the program
// has migrated.
var ErrNewerSchema = errors.New("the database was written by a newer version of this program; use that version, or restore a backup")

// DB is an open database. Writer has a single connection, so transactions on it are
// serial and begin with the write lock held; Reader refuses to write.
type DB struct {
	Writer *sql.DB
	Reader *sql.DB
	// Room is what is kept back for UpdateFreeing; after opening it is none.
	Room *reserve.Reserve

	path string
	mark *mark // nil for a database that nothing guards
}

// Open opens the database file at path, creating it if need be, and applies the migrations
// that it has not seen. Errors: those of the file system and of SQLite, ErrNewerSchema, ErrBusy,
// ErrDamaged, and *reserve.Error for a full disk.
func Open(ctx context.Context, path string, migrations fs.FS) (*DB, error) {
	if _, err := isFresh(ctx, path); err != nil {
		return nil, err
	}
	return openFile(ctx, path, migrations)
}

// openFile is Open for a file that was looked at.
func openFile(ctx context.Context, path string, migrations fs.FS) (_ *DB, err error) {
	db := &DB{path: path, Room: reserve.None(filepath.Dir(path))}
	if db.Writer, err = sql.Open("sqlite", dsn(path, 0, "_txlock=immediate")); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.Writer.SetMaxOpenConns(1)
	if err := patiently(ctx, func() error { return migrate(ctx, db.Writer, migrations) }); err != nil {
		db.Writer.Close()
		return nil, fmt.Errorf("open %s: %w", path, db.explain(err))
	}
	// SQLite syncs the directory for its log, but not for the database file itself.
	if err := durable.SyncDir(filepath.Dir(path)); err != nil {
		db.Writer.Close()
		return nil, err
	}
	if db.Reader, err = sql.Open("sqlite", dsn(path, busyTimeoutMS, "_pragma=query_only(1)")); err != nil {
		db.Writer.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.Reader.SetMaxOpenConns(readersMax)
	db.Reader.SetMaxIdleConns(readersMax)
	return db, nil
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
// returns nil, what f wrote is on disk. Any error of f rolls back and is returned as is. Errors of
// SQLite: ErrBusy, ErrDamaged, *reserve.Error for a full disk.
func (db *DB) Update(ctx context.Context, f func(*sql.Tx) error) error {
	if err := db.Room.Check(); err != nil {
		return err
	}
	return db.update(ctx, f)
}

// UpdateFreeing is Update for what makes room on the disk, deletions. On a full disk it takes what it
// needs from Room; f is called again then.
func (db *DB) UpdateFreeing(ctx context.Context, f func(*sql.Tx) error) error {
	return db.Room.Spend(func() error { return db.update(ctx, f) })
}

func (db *DB) update(ctx context.Context, f func(*sql.Tx) error) error {
	tx, done, err := db.begin(ctx)
	if err != nil {
		return db.explain(err)
	}
	defer done()
	if err := f(tx); err != nil {
		return db.explain(err)
	}
	if db.mark == nil {
		return db.explain(tx.Commit())
	}
	number, err := db.mark.next(ctx, tx)
	if err != nil {
		return db.explain(err)
	}
	if err := tx.Commit(); err != nil {
		return db.explain(err)
	}
	db.mark.acknowledge(number)
	return nil
}

// Exec runs one statement that writes and has no number: what may be forgotten. It returns how many
// rows it changed. Errors as Update.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	err = patiently(ctx, func() error {
		res, err := db.Writer.ExecContext(ctx, query, args...)
		if err == nil {
			changed, err = res.RowsAffected()
		}
		return err
	})
	return changed, db.explain(err)
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

// dsn names the file and the pragmas that every connection sets; busyMS is how long it waits for a
// lock. The path is escaped: a directory may be called "a?b".
func dsn(path string, busyMS int, extra string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	u.RawQuery = fmt.Sprintf("_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&%s", busyMS, extra)
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
