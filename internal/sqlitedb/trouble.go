package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/internal/reserve"
)

const (
	// lockWait is how long a write waits for a lock of another process. Whoever asked for it is
	// told within five seconds, and half of that is left for what else there is to do.
	lockWait = 4 * time.Second
	// lockPoll is how often it tries. It waits without the connection, so that the next one's wait
	// begins at once, and not when this one's ends.
	lockPoll = 10 * time.Millisecond
	// findingsMax bounds what is told of a damaged database: one is enough to know.
	findingsMax = 3
)

// ErrBusy is returned for a database that another process has kept locked for lockWait.
var ErrBusy = errors.New("the database is locked by another program")

// ErrDamaged is returned for a database that SQLite cannot read.
var ErrDamaged = errors.New("the database is damaged")

// explain says in the words of this package what SQLite says in a code: ErrBusy, ErrDamaged,
// *reserve.Error for a full disk.
func (db *DB) explain(err error) error { return explain(err, db.path, db.Room) }

func explain(err error, path string, room *reserve.Reserve) error {
	if err == nil {
		return nil
	}
	switch primary(err) {
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return fmt.Errorf("%w (%s): %w", ErrBusy, path, err)
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return fmt.Errorf("%w (%s): %w", ErrDamaged, path, err)
	case codes.SQLITE_FULL:
		return room.Explain(fmt.Errorf("%w: %w", syscall.ENOSPC, err))
	case codes.SQLITE_IOERR, codes.SQLITE_CANTOPEN: // SQLite does not say why
		if full := room.Full(); reserve.IsFull(full) {
			return room.Explain(fmt.Errorf("%w: %w", syscall.ENOSPC, err))
		}
	}
	return room.Explain(err)
}

// primary returns SQLite's result code of an error without what extends it, 0 if it has none.
func primary(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func isBusy(err error) bool {
	return primary(err) == codes.SQLITE_BUSY || primary(err) == codes.SQLITE_LOCKED
}

// patiently calls f until no other process has the database locked, or lockWait is over.
func patiently(ctx context.Context, f func() error) error {
	wait, end := context.WithTimeout(ctx, lockWait)
	defer end()
	for {
		err := f()
		if !isBusy(err) || pause.For(wait, lockPoll, nil) != nil {
			return err
		}
	}
}

// begin begins a transaction that writes. done ends it, unless it was committed.
func (db *DB) begin(ctx context.Context) (tx *sql.Tx, done func(), err error) {
	err = patiently(ctx, func() error {
		tx, err = db.Writer.BeginTx(ctx, nil)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return tx, func() { _ = tx.Rollback() }, nil // no effect after Commit
}

// Ping reports whether the database can be written to: nobody has it locked.
func (db *DB) Ping(ctx context.Context) error {
	_, done, err := db.begin(ctx)
	if err != nil {
		return db.explain(err)
	}
	done()
	return nil
}

// inspect reads the whole file, and returns what is wrong with it. Pages that belong nowhere, rows
// out of order and the like are found; a wrong letter in a row is not.
func inspect(ctx context.Context, db *sql.DB, path string) error {
	findings, err := quickCheck(ctx, db)
	switch code := primary(err); {
	case code == codes.SQLITE_CORRUPT || code == codes.SQLITE_NOTADB:
		findings = []string{err.Error()}
	case err != nil:
		return fmt.Errorf("check %s: %w", path, explain(err, path, reserve.None(filepath.Dir(path))))
	case len(findings) == 1 && findings[0] == "ok":
		return nil
	}
	said := strings.ReplaceAll(strings.Join(findings, "; "), "\n", " ")
	return fmt.Errorf("%w: parts of %s are not what was written, by a fault of the disk or by another program. SQLite's check says: %s. Nothing was changed",
		ErrDamaged, path, said)
}

func quickCheck(ctx context.Context, db *sql.DB) (findings []string, err error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("PRAGMA quick_check(%d)", findingsMax))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f string
		if err := rows.Scan(&f); err != nil {
			return nil, err
		}
		findings = append(findings, f)
	}
	return findings, rows.Err()
}
