// Package sqlite keeps durable nouns in SQLite: one generic table of resources, optimistic
// versions, leases with fencing tokens. It knows no noun: a new one needs no SQL.
//
//	s, err := sqlite.Open(ctx, filepath.Join(dir, "outcrop.db"), time.Now)
//	err = s.Apply(ctx, outcrop.Change{Op: outcrop.OpCreate, Record: job.Record()})
//
// Every statement is one that PostgreSQL takes too (with $1 for ?), and package storetest
// is what an implementation on it would have to pass. What a caller sees of versions:
// creating makes version 1, each update adds one, and leases do not count as changes. An
// update changes name, status, parent, tags and body; the other columns are the record's
// identity and stay as they were created.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/internal/rule"
	"outcrop.dev/outcrop/internal/reserve"
	"outcrop.dev/outcrop/internal/sqlitedb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is an outcrop.Store on SQLite. It is safe for concurrent use, by several processes
// too.
type Store struct {
	reader
	db  *sqlitedb.DB
	now func() time.Time
}

// Options are what a Store takes from the world. Now must be set.
type Options struct {
	Now    func() time.Time // by which records are stamped and leases run out
	Beside []string         // folders whose files only the database explains
	Room   *reserve.Reserve // for deletions on a full disk; nil: none
	Log    *slog.Logger     // gets the rows that cannot be read; nil discards
}

var _ outcrop.Store = (*Store)(nil)

// reader reads records, from the database's readers or within a transaction.
type reader struct {
	from querier
	log  *slog.Logger
}

// querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Open is OpenWith a clock alone.
func Open(ctx context.Context, path string, now func() time.Time) (*Store, error) {
	return OpenWith(ctx, path, Options{Now: now})
}

// OpenWith opens the database file at path, creating it if need be. Errors: those of the file system
// and of SQLite, and of sqlitedb.OpenGuarded.
func OpenWith(ctx context.Context, path string, o Options) (*Store, error) {
	db, err := sqlitedb.OpenGuarded(ctx, path, migrations, sqlitedb.Guard{Beside: o.Beside, Advice: advice})
	if err != nil {
		return nil, err
	}
	if o.Room != nil {
		db.Room = o.Room
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{reader: reader{db.Reader, o.Log}, db: db, now: o.Now}, nil
}

// advice is what to do when the database is lost, and no copy of it is there.
const advice = "If it is lost, take it from a backup; or, to go on without the jobs and models that it knew, " +
	"move the tuned models away, delete the database and its .mark file, and start again."

// CheckWritable returns why nothing can be written now, for people: another program has the database
// locked.
func (s *Store) CheckWritable(ctx context.Context) error { return wrap("write", s.db.Ping(ctx)) }

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// columns are the ones that scan reads, in its order.
const columns = `arn, kind, account, region, id, name, status, parent, token, tags, body,
	created, updated, version, lease_owner, lease_until, fence`

// Get implements outcrop.Store.
func (r reader) Get(ctx context.Context, key outcrop.Key) (outcrop.Record, error) {
	var row *sql.Row
	if key.ARN != "" {
		row = r.from.QueryRowContext(ctx, `SELECT `+columns+` FROM resources WHERE arn = ? AND deleted = 0`, string(key.ARN))
	} else {
		row = r.byRef(ctx, key)
	}
	rec, err := r.scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		return outcrop.Record{}, rule.NotFound(key)
	}
	return rec, wrap("get", err)
}

// byRef finds a record by id or by name. A name may look like another record's id; then
// the id wins, because the name's holder can still be reached by its own id.
func (r reader) byRef(ctx context.Context, key outcrop.Key) *sql.Row {
	const where = ` FROM resources WHERE deleted = 0 AND kind = ? AND account = ? AND region = ? AND `
	args := []any{string(key.Kind), key.Account, key.Region, key.Ref}
	return r.from.QueryRowContext(ctx,
		`SELECT `+columns+` FROM (SELECT 0 AS rank, `+columns+where+`id = ?
		UNION ALL SELECT 1 AS rank, `+columns+where+`name = ? AND name <> '') AS found ORDER BY rank LIMIT 1`,
		append(args, args...)...)
}

// ByToken implements outcrop.Store.
func (r reader) ByToken(ctx context.Context, kind outcrop.Kind, scope outcrop.Scope, token string) (outcrop.Record, error) {
	rec, err := r.scan(r.from.QueryRowContext(ctx,
		`SELECT `+columns+` FROM resources WHERE deleted = 0 AND kind = ? AND account = ? AND region = ? AND token = ? AND token <> ''`,
		string(kind), scope.Account, scope.Region, token))
	if errors.Is(err, sql.ErrNoRows) {
		return outcrop.Record{}, rule.TokenNotFound(kind, token)
	}
	return rec, wrap("get by token", err)
}

// Counts returns how many live records of each kind stand in each status.
func (s *Store) Counts(ctx context.Context) (map[outcrop.Kind]map[outcrop.Status]int, error) {
	rows, err := s.db.Reader.QueryContext(ctx, `SELECT kind, status, count(*) FROM resources WHERE deleted = 0 GROUP BY kind, status`)
	if err != nil {
		return nil, wrap("count", err)
	}
	defer rows.Close()
	counts := map[outcrop.Kind]map[outcrop.Status]int{}
	for rows.Next() {
		var kind outcrop.Kind
		var status outcrop.Status
		var n int
		if err := rows.Scan(&kind, &status, &n); err != nil {
			return nil, wrap("count", err)
		}
		if counts[kind] == nil {
			counts[kind] = map[outcrop.Status]int{}
		}
		counts[kind][status] = n
	}
	return counts, wrap("count", rows.Err())
}

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// scan reads a row. Tags that cannot be read are none: the record is good without them. Error, beside
// those of SQLite: outcrop.ErrUnreadable, with what can be read.
func (r reader) scan(row scanner) (outcrop.Record, error) {
	rec, tags, err := scanColumns(row)
	if err != nil || tags == "" {
		return rec, err
	}
	if err := json.Unmarshal([]byte(tags), &rec.Tags); err != nil {
		rec.Tags = nil
		r.log.Error("the tags of a record cannot be read: it has none", "error", outcrop.ErrUnreadable(rec.ARN, err))
	}
	return rec, nil
}

func scanColumns(row scanner) (r outcrop.Record, tags string, err error) {
	var body string
	var created, updated, until int64
	err = row.Scan(&r.ARN, &r.Kind, &r.Account, &r.Region, &r.ID, &r.Name, &r.Status, &r.Parent, &r.Token, &tags, &body,
		&created, &updated, &r.Version, &r.Lease.Owner, &until, &r.Lease.Fence)
	r.Created, r.Updated, r.Lease.Until = rule.Time(created), rule.Time(updated), rule.Time(until)
	r.Body = json.RawMessage(body)
	if err != nil && strings.HasPrefix(err.Error(), "sql: Scan error") { // package sql has no type for it
		err = outcrop.ErrUnreadable(r.ARN, err)
	}
	return r, tags, err
}

// tagText is the stored form of tags: JSON, or nothing for none.
func tagText(tags map[string]string) string {
	if len(tags) == 0 {
		return ""
	}
	b, err := json.Marshal(tags)
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	return string(b)
}

// wrap says what was being done. What ends by itself, or by what an operator does, is the caller's to
// know: a full disk, and a lock of another program.
func wrap(what string, err error) error {
	var full *reserve.Error
	switch {
	case err == nil || outcrop.ReasonOf(err) == outcrop.ReasonUnreadable:
		return err
	case errors.As(err, &full):
		return &outcrop.Error{Code: outcrop.CodeServiceUnavailable, Op: what, Msg: full.Error(), Err: full.Err}
	case errors.Is(err, sqlitedb.ErrBusy):
		return &outcrop.Error{Code: outcrop.CodeServiceUnavailable, Op: what, Err: err,
			Msg: "Another program on the server's machine has the database locked. Try again; if it goes on, end that program."}
	}
	return fmt.Errorf("store: %s: %w", what, err)
}
