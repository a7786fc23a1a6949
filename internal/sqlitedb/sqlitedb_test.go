package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

const v1 = "-- +goose Up\nCREATE TABLE t (k TEXT PRIMARY KEY, v BLOB) STRICT;\n"
const v2 = "-- +goose Up\nALTER TABLE t ADD COLUMN w INTEGER NOT NULL DEFAULT 7;\n"

func files(sqls ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i, s := range sqls {
		m[[]string{"migrations/00001_a.sql", "migrations/00002_b.sql"}[i]] = &fstest.MapFile{Data: []byte(s)}
	}
	return m
}

func open(t *testing.T, path string, m fstest.MapFS) *DB {
	t.Helper()
	db, err := Open(context.Background(), path, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestOpenSetsPragmasOnEveryConnection(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), files(v1))
	for h, busy := range map[*sql.DB]string{db.Writer: "0", db.Reader: "4000"} {
		for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": busy} {
			var got string
			if err := h.QueryRow("PRAGMA " + name).Scan(&got); err != nil || got != want {
				t.Errorf("%s = %q, %v; want %s", name, got, err, want)
			}
		}
	}
	if _, err := db.Reader.Exec("INSERT INTO t VALUES ('a', NULL)"); err == nil {
		t.Error("the reader wrote")
	}
}

func TestOpenMigratesAndRefusesNewer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "x.db")
	db := open(t, path, files(v1))
	if _, err := db.Writer.Exec("INSERT INTO t VALUES ('a', x'00ff')"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	db = open(t, path, files(v1, v2))
	var w int
	if err := db.Reader.QueryRow("SELECT w FROM t").Scan(&w); err != nil || w != 7 {
		t.Fatalf("w = %d, %v", w, err)
	}
	db.Close()
	if _, err := Open(ctx, path, files(v1)); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("opened a newer schema: %v", err)
	}
}

func TestOpenOddPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a?b #c%41 ü")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.db")
	open(t, path, files(v1))
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	if _, err := Open(ctx, filepath.Join(t.TempDir(), "no", "x.db"), files(v1)); err == nil {
		t.Error("opened a file in a missing directory")
	}
	if _, err := Open(ctx, filepath.Join(t.TempDir(), "x.db"), files("-- +goose Up\nCREATE NONSENSE;\n")); err == nil {
		t.Error("accepted a broken migration")
	}
	if _, err := Open(ctx, filepath.Join(t.TempDir(), "x.db"), fstest.MapFS{}); err == nil {
		t.Error("accepted no migrations")
	}
}

func TestUpdateRollsBack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "x.db"), files(v1))
	boom := errors.New("boom")
	err := db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO t VALUES ('a', NULL)"); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	n := -1
	err = db.View(ctx, func(tx *sql.Tx) error { return tx.QueryRow("SELECT count(*) FROM t").Scan(&n) })
	if err != nil || n != 0 {
		t.Errorf("%d rows after a rollback, %v", n, err)
	}
}
