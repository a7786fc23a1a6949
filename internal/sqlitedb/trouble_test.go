package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"outcrop.dev/outcrop/internal/reserve"
)

func insert(tx *sql.Tx) error {
	_, err := tx.Exec("INSERT INTO t VALUES (hex(randomblob(16)), zeroblob(20000))")
	return err
}

// Many writers of a database that another process has locked are told so, all at once, and go on when
// it is not locked any more.
func TestLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	db, other := open(t, path, files(v1)), open(t, path, files(v1))
	tx, err := other.Writer.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.View(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec("SELECT 1"); return err }); err != nil {
		t.Errorf("a reader: %v", err)
	}
	wait, end := context.WithTimeout(t.Context(), lockWait+lockWait/4) // less than two waits
	defer end()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := db.Update(wait, insert); !errors.Is(err, ErrBusy) || wait.Err() != nil {
				t.Errorf("a writer: %v, %v", err, wait.Err())
			}
		})
	}
	all.Wait()
	waiting := make(chan error)
	go func() { waiting <- db.Update(t.Context(), insert) }()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-waiting, db.Ping(t.Context())); err != nil {
		t.Error(err)
	}
}

// SQLite's own word for a full disk is a full disk: changes are refused, deletions spend the reserve.
func TestFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "x.db"), files(v1))
	room, err := reserve.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer room.Close()
	db.Room = room
	if err := db.Update(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	var pages int
	if err := errors.Join(db.Writer.QueryRow("PRAGMA page_count").Scan(&pages), db.Writer.QueryRow("PRAGMA max_page_count = 1").Scan(&pages)); err != nil {
		t.Fatal(err)
	}
	var full *reserve.Error
	if err := db.Update(t.Context(), insert); !errors.As(err, &full) || full.Size == 0 || full.Held != reserve.Size {
		t.Errorf("a change: %v", err)
	}
	calls := 0
	err = db.UpdateFreeing(t.Context(), func(tx *sql.Tx) error {
		if calls++; calls == 3 {
			_, err := tx.Exec("PRAGMA max_page_count = 1000")
			if err != nil {
				return err
			}
		}
		return insert(tx)
	})
	if err != nil || calls != 3 {
		t.Errorf("a deletion: %d calls, %v", calls, err)
	}
}

// A page that is not what was written is found at the start and told in words.
func TestDamagedPages(t *testing.T) {
	t.Parallel()
	for page := range 4 {
		path := written(t, t.TempDir(), 3)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4096 {
			b[page*4096+i] ^= 0x55
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := openGuarded(path)
		if err == nil {
			db.Close()
		}
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "Nothing was changed") || !strings.HasSuffix(err.Error(), "Do this.") {
			t.Errorf("page %d: %v", page+1, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(b) {
			t.Errorf("page %d: it was changed, %v", page+1, err)
		}
	}
}

// BenchmarkInspect measures what looking at a whole database costs a start: 100,000 rows, as of objects.
func BenchmarkInspect(b *testing.B) {
	path := filepath.Join(b.TempDir(), "x.db")
	db, err := Open(b.Context(), path, files(v1))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	err = db.Update(b.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO t SELECT hex(randomblob(16)), randomblob(400) FROM n")
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if fresh, err := isFresh(b.Context(), path); err != nil || fresh {
			b.Fatal(fresh, err)
		}
	}
}
