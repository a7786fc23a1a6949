package sqlitedb_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"outcrop.dev/outcrop/internal/sqlitedb"
)

// A database of one table, which opening makes.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	migrations := fstest.MapFS{"migrations/00001_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE notes (text TEXT NOT NULL);\n")}}
	ctx := context.Background()
	db, err := sqlitedb.Open(ctx, filepath.Join(dir, "notes.db"), migrations)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	err = db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO notes (text) VALUES (?)", "hello")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	var n int
	err = db.View(ctx, func(tx *sql.Tx) error { return tx.QueryRow("SELECT count(*) FROM notes").Scan(&n) })
	fmt.Println(n, err)
	// Output: 1 <nil>
}
