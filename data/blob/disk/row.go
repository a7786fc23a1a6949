package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"outcrop.dev/outcrop/data/blob"
)

// querier is a transaction or a database.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func requireBucket(ctx context.Context, q querier, bucket string) error {
	var ok bool
	if err := q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM buckets WHERE name = ?)", bucket).Scan(&ok); err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("bucket %q: %w", bucket, blob.ErrNoSuchBucket)
	}
	return nil
}

// findObject reads an object's row. Errors: ErrNoSuchBucket, ErrNoSuchKey, and ErrDamaged beside what can
// be read of the row.
func findObject(ctx context.Context, q querier, bucket, key string) (blob.Object, error) {
	o := blob.Object{Bucket: bucket, Key: key}
	var modified int64
	var attributes string
	err := q.QueryRowContext(ctx, `SELECT id, size, etag, modified, checksum_algorithm, checksum_type, checksum, parts, attributes
		FROM objects WHERE bucket = ? AND key = ?`, bucket, []byte(key)).
		Scan(&o.ID, &o.Size, &o.ETag, &modified, &o.Checksum.Algorithm, &o.Checksum.Type, &o.Checksum.Value, &o.Parts, &attributes)
	if errors.Is(err, sql.ErrNoRows) {
		if err := requireBucket(ctx, q, bucket); err != nil {
			return o, err
		}
		return o, fmt.Errorf("key %q: %w", key, blob.ErrNoSuchKey)
	}
	if err != nil {
		return o, err
	}
	o.Modified = fromMillis(modified)
	if err := json.Unmarshal([]byte(attributes), &o.Attributes); err != nil {
		return o, fmt.Errorf("the index cannot be read where it says what %q is (%v): %w", key, err, blob.ErrDamaged)
	}
	return o, nil
}

// insertObject writes an object's row; the key must be free.
func insertObject(ctx context.Context, tx *sql.Tx, o blob.Object) error {
	attributes, err := json.Marshal(o.Attributes)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO objects (bucket, key, id, size, etag, modified,
		checksum_algorithm, checksum_type, checksum, parts, attributes) VALUES (?,?,?,?,?,?,?,?,?,?,?)`,
		o.Bucket, []byte(o.Key), o.ID, o.Size, o.ETag, o.Modified.UnixMilli(),
		o.Checksum.Algorithm, o.Checksum.Type, o.Checksum.Value, o.Parts, string(attributes))
	return err
}

// replaceObject puts o in the place of what the key names now, if the condition holds, and
// returns the files that this may have left unused. Error: ErrPrecondition, ErrNoSuchKey
// (If-Match on nothing), ErrNoSuchBucket.
func replaceObject(ctx context.Context, tx *sql.Tx, o blob.Object, c blob.Condition) (files []string, err error) {
	old, err := findObject(ctx, tx, o.Bucket, o.Key)
	damaged := errors.Is(err, blob.ErrDamaged)
	exists := err == nil || damaged
	if err != nil && !damaged && !errors.Is(err, blob.ErrNoSuchKey) {
		return nil, err
	}
	if err := checkCondition(c, exists, old); err != nil {
		return nil, err
	}
	if exists {
		if files, err = removeObject(ctx, tx, old); err != nil {
			return nil, err
		}
	}
	return files, insertObject(ctx, tx, o)
}

func checkCondition(c blob.Condition, exists bool, old blob.Object) error {
	switch {
	case c.Absent && exists:
		return fmt.Errorf("key %q exists: %w", old.Key, blob.ErrPrecondition)
	case c.ETag != "" && !exists:
		return fmt.Errorf("If-Match on key %q: %w", old.Key, blob.ErrNoSuchKey)
	case c.ETag != "" && c.ETag != "*" && c.ETag != old.ETag, exists && c.Check != nil && !c.Check(old):
		return fmt.Errorf("key %q has tag %s: %w", old.Key, old.ETag, blob.ErrPrecondition)
	}
	return nil
}

// removeObject deletes an object's rows and returns its files and its note.
func removeObject(ctx context.Context, tx *sql.Tx, o blob.Object) (files []string, err error) {
	if _, err := tx.ExecContext(ctx, "DELETE FROM objects WHERE bucket = ? AND key = ?", o.Bucket, []byte(o.Key)); err != nil {
		return nil, err
	}
	files, err = removeOwner(ctx, tx, o.ID)
	return append(files, noteOf+o.ID), err
}

// removeOwner deletes the parts and segments of an object or upload and returns its files.
func removeOwner(ctx context.Context, tx *sql.Tx, owner string) (files []string, err error) {
	if files, err = filesOf(ctx, tx, "SELECT DISTINCT file FROM segments WHERE owner = ?", owner); err != nil {
		return nil, err
	}
	for _, table := range []string{"segments", "parts"} {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE owner = ?", owner); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// removePart deletes one part's rows and returns its files.
func removePart(ctx context.Context, tx *sql.Tx, owner string, number int) (files []string, err error) {
	files, err = filesOf(ctx, tx, "SELECT DISTINCT file FROM segments WHERE owner = ? AND part = ?", owner, number)
	if err != nil {
		return nil, err
	}
	if _, err = tx.ExecContext(ctx, "DELETE FROM segments WHERE owner = ? AND part = ?", owner, number); err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM parts WHERE owner = ? AND number = ?", owner, number)
	return files, err
}

func filesOf(ctx context.Context, q querier, query string, args ...any) ([]string, error) {
	var files []string
	err := each(ctx, q, query, args, func(rows *sql.Rows) error {
		var f string
		err := rows.Scan(&f)
		files = append(files, f)
		return err
	})
	return files, err
}

// ownersOf names the objects and uploads that a file belongs to, for people.
func (s *Store) ownersOf(file string) []string {
	const query = `SELECT bucket || '/' || CAST(key AS TEXT) FROM objects WHERE id IN (SELECT owner FROM segments WHERE file = ?1)
		UNION SELECT bucket || '/' || CAST(key AS TEXT) FROM uploads WHERE id IN (SELECT owner FROM segments WHERE file = ?1) LIMIT 10`
	names, err := filesOf(context.Background(), s.db.Reader, query, file)
	if err != nil {
		return []string{"unknown: " + err.Error()}
	}
	return names
}

func insertSegments(ctx context.Context, tx *sql.Tx, owner string, part int, segments []segment) error {
	for n, g := range segments {
		_, err := tx.ExecContext(ctx, "INSERT INTO segments (owner, part, n, file, offset, length) VALUES (?,?,?,?,?,?)",
			owner, part, n, g.file, g.offset, g.length)
		if err != nil {
			return err
		}
	}
	return nil
}

func findSegments(ctx context.Context, q querier, owner string) ([]segment, error) {
	var segments []segment
	err := each(ctx, q, "SELECT file, offset, length FROM segments WHERE owner = ? ORDER BY part, n", []any{owner}, func(rows *sql.Rows) error {
		var g segment
		err := rows.Scan(&g.file, &g.offset, &g.length)
		segments = append(segments, g)
		return err
	})
	return segments, err
}

// each calls f for every row of a query. errStop ends it early without an error.
func each(ctx context.Context, q querier, query string, args []any, f func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err == errStop {
			return nil
		} else if err != nil {
			return err
		}
	}
	return rows.Err()
}

var errStop = errors.New("stop")

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
