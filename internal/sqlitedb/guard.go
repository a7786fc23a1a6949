package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/internal/lost"
)

// Guard is for a database that files beside it depend on. An empty one in its place, or an
// older one, would call all that it has no row for unneeded. Every Update has a number, which
// is written into a small file beside the database before Update returns; a database that is
// behind that file, or that is not there although the file is, or although there are files
// that only it explains, is not opened.
type Guard struct {
	// Beside names folders whose files have no meaning without the database.
	Beside []string
	// Advice ends the error: what to do besides putting the right database back.
	Advice string
}

// MarkSuffix ends the name of the file with the number of the last change.
const MarkSuffix = ".mark"

// ErrMissing is returned by OpenGuarded for a database that is absent, or empty, beside files
// that it explains.
var ErrMissing = errors.New("the database is missing")

// ErrOlder is returned by OpenGuarded for a database without changes that had been acknowledged.
var ErrOlder = errors.New("the database is not the one that was written last")

// OpenGuarded is Open for a database that g guards. Errors: those of Open, ErrMissing, ErrOlder.
// A database that never had a number gets one.
func OpenGuarded(ctx context.Context, path string, migrations fs.FS, g Guard) (*DB, error) {
	m, found, err := readMark(path + MarkSuffix)
	if err != nil {
		return nil, err
	}
	fresh, err := isFresh(ctx, path)
	if errors.Is(err, ErrDamaged) {
		return nil, fmt.Errorf("%w. Put it back as it was. %s", err, g.Advice)
	}
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := g.checkFresh(path, found); err != nil {
			return nil, err
		}
	}
	db, err := openFile(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	err = patiently(ctx, func() error {
		db.mark, err = g.enter(ctx, db.Writer, path, m, found)
		return err
	})
	if err != nil {
		return nil, errors.Join(db.explain(err), db.Close())
	}
	return db, nil
}

// isFresh reports whether there is no database, or one that nothing was ever written to. Error:
// ErrDamaged.
func isFresh(ctx context.Context, path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	db, err := sql.Open("sqlite", dsn(path, busyTimeoutMS, "_pragma=query_only(1)"))
	if err != nil {
		return false, err
	}
	defer db.Close()
	if err := inspect(ctx, db, path); err != nil {
		return false, err
	}
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return tables == 0, nil
}

// checkFresh refuses to begin anew where there was something before.
func (g Guard) checkFresh(path string, marked bool) error {
	if marked {
		return fmt.Errorf("%w: %s is not there or is empty, and %s says that it was written to. Put it back as it was. %s",
			ErrMissing, path, path+MarkSuffix, g.Advice)
	}
	for _, dir := range g.Beside {
		file, err := firstFile(dir)
		if err != nil {
			return err
		}
		if file != "" {
			return fmt.Errorf("%w: %s is not there or is empty, and only it says what %s is. Put it back as it was. %s",
				ErrMissing, path, file, g.Advice)
		}
	}
	return nil
}

// firstFile returns a file below dir, "" if there is none. What is in lost+found does not count.
func firstFile(dir string) (found string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && d.Name() == lost.Name:
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		found = path
		return fs.SkipAll
	})
	return found, err
}

// enter compares the database's number with the one beside it, and returns the mark to go on
// with.
func (g Guard) enter(ctx context.Context, db *sql.DB, path string, noted note, found bool) (*mark, error) {
	has, err := numbered(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("number the changes of %s: %w", path, err)
	}
	if found && (noted.id != has.id || noted.number > has.number) {
		return nil, fmt.Errorf("%w: %s ends with change %d of %.8s, and %s says that change %d of %.8s was acknowledged. "+
			"Put the newer one back, with its -wal file. If this one is from a backup, and what came later may be forgotten, delete %s. %s",
			ErrOlder, path, has.number, has.id, path+MarkSuffix, noted.number, noted.id, path+MarkSuffix, g.Advice)
	}
	if !found {
		if err := durable.WriteBytes(path+MarkSuffix, 0o600, []byte(has.String())); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path+MarkSuffix, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return &mark{f: f, last: has}, nil
}

// numbered returns the database's identity and the number of its last change; one of an older
// program gets them.
func numbered(ctx context.Context, db *sql.DB) (n note, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return n, err
	}
	defer tx.Rollback() // no effect after Commit
	for _, statement := range []string{
		"CREATE TABLE IF NOT EXISTS sqlitedb_changes (id TEXT NOT NULL, number INTEGER NOT NULL)",
		"INSERT INTO sqlitedb_changes SELECT lower(hex(randomblob(16))), 0 WHERE NOT EXISTS (SELECT 1 FROM sqlitedb_changes)",
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return n, err
		}
	}
	if err := tx.QueryRowContext(ctx, "SELECT id, number FROM sqlitedb_changes").Scan(&n.id, &n.number); err != nil {
		return n, err
	}
	return n, tx.Commit()
}

// note says which database was written to last, and by which change.
type note struct {
	id     string
	number int64
}

// noteForm is of one length, and less than a sector, so that it is replaced in one piece.
const noteForm = "%32s %020d\n"

func (n note) String() string { return fmt.Sprintf(noteForm, n.id, n.number) }

// readMark reads the file beside a database. One that cannot be understood says nothing, as if
// it were not there: only itself is lost.
func readMark(path string) (n note, found bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, false, nil
	}
	if err != nil {
		return n, false, err
	}
	if _, err := fmt.Sscanf(string(b), noteForm, &n.id, &n.number); err != nil || n.String() != string(b) {
		return note{}, false, nil
	}
	return n, true, nil
}

// mark is the open file beside a database. It is synced only when it is closed: what the system
// has taken outlives a process that is killed, and after a power cut a mark that is behind its
// database lets it through. It is never ahead, as it is written after the commit.
type mark struct {
	mu   sync.Mutex
	f    *os.File
	last note
}

// next gives the changes of tx their number.
func (m *mark) next(ctx context.Context, tx *sql.Tx) (number int64, err error) {
	err = tx.QueryRowContext(ctx, "UPDATE sqlitedb_changes SET number = number + 1 RETURNING number").Scan(&number)
	return number, err
}

// acknowledge notes that a change is on disk. It is, so a note that cannot be written is no
// error: then the mark is behind, and lets the database through.
func (m *mark) acknowledge(number int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number > m.last.number {
		m.last.number = number
		_, _ = m.f.WriteAt([]byte(m.last.String()), 0)
	}
}

func (m *mark) close() error { return errors.Join(m.f.Sync(), m.f.Close()) }
