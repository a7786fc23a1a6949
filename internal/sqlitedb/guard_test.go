package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openGuarded(path string) (*DB, error) {
	return OpenGuarded(context.Background(), path, files(v1), Guard{Beside: []string{filepath.Join(filepath.Dir(path), "data")}, Advice: "Do this."})
}

// written makes a database with n changes, closes it, and returns its path.
func written(t *testing.T, dir string, n int) string {
	t.Helper()
	path := filepath.Join(dir, "x.db")
	db, err := openGuarded(path)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := db.Update(context.Background(), func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT OR REPLACE INTO t VALUES ('a', NULL)")
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Each way to lose a database, or a part of it, and whether it opens afterwards.
func TestGuard(t *testing.T) {
	t.Parallel()
	truncate := func(t *testing.T, path string) { os.Truncate(path, 0) }
	remove := func(t *testing.T, path string) { os.Remove(path) }
	blank := func(t *testing.T, path string) {
		os.Remove(path)
		db := open(t, path, files(v1)) // has its tables, and no row
		db.Close()
	}
	unmark := func(t *testing.T, path string) { os.Remove(path + MarkSuffix) }
	file := func(t *testing.T, path string) {
		dir := filepath.Join(filepath.Dir(path), "data", "ab")
		os.MkdirAll(dir, 0o700)
		os.WriteFile(filepath.Join(dir, "abcd"), nil, 0o600)
	}
	for name, c := range map[string]struct {
		do   []func(*testing.T, string)
		want error
	}{
		"untouched":                     {nil, nil},
		"removed":                       {[]func(*testing.T, string){remove}, ErrMissing},
		"emptied":                       {[]func(*testing.T, string){truncate}, ErrMissing},
		"replaced by a new one":         {[]func(*testing.T, string){blank}, ErrOlder},
		"removed with its mark":         {[]func(*testing.T, string){remove, unmark}, nil},
		"removed beside a file":         {[]func(*testing.T, string){remove, unmark, file}, ErrMissing},
		"emptied beside a file":         {[]func(*testing.T, string){truncate, unmark, file}, ErrMissing},
		"without its mark":              {[]func(*testing.T, string){unmark}, nil},
		"without its mark, with a file": {[]func(*testing.T, string){unmark, file}, nil},
		"garbage for a mark": {[]func(*testing.T, string){func(t *testing.T, path string) {
			os.WriteFile(path+MarkSuffix, []byte("garbage"), 0o600)
		}}, nil},
		"an older copy": {[]func(*testing.T, string){func(t *testing.T, path string) {
			copyFile(t, path+".old", path)
			written(t, filepath.Dir(path), 1)
			copyFile(t, path, path+".old")
		}}, ErrOlder},
		"the same copy": {[]func(*testing.T, string){func(t *testing.T, path string) {
			written(t, filepath.Dir(path), 1)
			copyFile(t, path+".old", path)
			copyFile(t, path, path+".old")
		}}, nil},
		"of another directory, with more changes": {[]func(*testing.T, string){func(t *testing.T, path string) {
			copyFile(t, path, written(t, t.TempDir(), 50))
		}}, ErrOlder},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t, t.TempDir(), 3)
			for _, f := range c.do {
				f(t, path)
			}
			before, _ := os.ReadFile(path)
			db, err := openGuarded(path)
			if err == nil {
				db.Close()
			}
			if !errors.Is(err, c.want) {
				t.Fatalf("opened: %v, want %v", err, c.want)
			}
			if err == nil {
				return
			}
			if !strings.Contains(err.Error(), path) || !strings.HasSuffix(err.Error(), "Do this.") {
				t.Errorf("the error does not say what to do: %v", err)
			}
			if after, _ := os.ReadFile(path); c.want == ErrMissing && len(after) != len(before) {
				t.Errorf("refused, and changed from %d to %d bytes", len(before), len(after))
			}
		})
	}
}

// The log that a killed process leaves is a part of the database: without it, what was
// acknowledged is missing.
func TestGuardMissesLog(t *testing.T) {
	t.Parallel()
	path := written(t, t.TempDir(), 1)
	db, err := openGuarded(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := db.Update(context.Background(), func(tx *sql.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	killed := filepath.Join(t.TempDir(), "x.db")
	copyFile(t, killed, path)
	copyFile(t, killed+MarkSuffix, path+MarkSuffix)
	db.Close()
	if _, err := openGuarded(killed); !errors.Is(err, ErrOlder) {
		t.Errorf("opened without its log: %v", err)
	}
}

// A database of an older program has no numbers: it gets them, and is guarded from then on.
func TestGuardAdoptsOlder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	open(t, path, files(v1)).Close()
	copyFile(t, path+".old", path)
	if db, err := openGuarded(path); err != nil {
		t.Fatal(err)
	} else {
		db.Close()
	}
	copyFile(t, path, path+".old")
	if _, err := openGuarded(path); !errors.Is(err, ErrOlder) {
		t.Errorf("opened the one from before: %v", err)
	}
}

// A command that opens the database of a running server leaves the mark as it is.
func TestGuardBesideAnother(t *testing.T) {
	t.Parallel()
	path := written(t, t.TempDir(), 3)
	server, err := openGuarded(path)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	command, err := openGuarded(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Update(context.Background(), func(*sql.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	command.Close()
	if n, found, err := readMark(path + MarkSuffix); err != nil || !found || n.number != 4 {
		t.Errorf("the mark says %+v, %v, %v", n, found, err)
	}
}

// A copy has what was committed when it was made, its identity with it, and is taken in use.
func TestCopy(t *testing.T) {
	t.Parallel()
	path := written(t, t.TempDir(), 3)
	db, err := openGuarded(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	to := filepath.Join(t.TempDir(), "it's a copy.db")
	if err := Copy(context.Background(), to, path); err != nil {
		t.Fatal(err)
	}
	if err := Copy(context.Background(), to, path); err == nil {
		t.Error("a copy was written over")
	}
	copied, err := openGuarded(to)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if copied.mark.last != db.mark.last || copied.mark.last.number != 3 {
		t.Errorf("the copy ends with %+v, the database with %+v", copied.mark.last, db.mark.last)
	}
}
