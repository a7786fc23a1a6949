package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
)

// CreateBucket makes a bucket. Error: ErrBucketExists.
func (s *Store) CreateBucket(ctx context.Context, name string, tags []blob.Tag) error {
	encoded, err := encodeTags(tags)
	if err != nil {
		return err
	}
	return s.commit(ctx, nil, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		switch err := requireBucket(ctx, tx, name); {
		case err == nil:
			return nil, fmt.Errorf("bucket %q: %w", name, blob.ErrBucketExists)
		case !errors.Is(err, blob.ErrNoSuchBucket):
			return nil, err
		}
		created := s.now()
		if _, err := tx.ExecContext(ctx, "INSERT INTO buckets (name, created, tags) VALUES (?,?,?)", name, created.UnixMilli(), encoded); err != nil {
			return nil, err
		}
		return nil, s.noteBucket(blob.Bucket{Name: name, Created: created, Tags: tags})
	})
}

// HeadBucket returns a bucket. Error: ErrNoSuchBucket.
func (s *Store) HeadBucket(ctx context.Context, name string) (blob.Bucket, error) {
	b := blob.Bucket{Name: name}
	var created int64
	var tags string
	err := s.db.Reader.QueryRowContext(ctx, "SELECT created, tags FROM buckets WHERE name = ?", name).Scan(&created, &tags)
	if errors.Is(err, sql.ErrNoRows) {
		return b, fmt.Errorf("bucket %q: %w", name, blob.ErrNoSuchBucket)
	}
	if err != nil {
		return b, err
	}
	b.Created = fromMillis(created)
	return b, json.Unmarshal([]byte(tags), &b.Tags)
}

// DeleteBucket removes a bucket that holds no object, and the uploads under way in it.
// Errors: ErrNoSuchBucket, ErrBucketNotEmpty.
func (s *Store) DeleteBucket(ctx context.Context, name string) error {
	return s.commitFreeing(ctx, func(ctx context.Context, tx *sql.Tx) (junk []string, err error) {
		if err := requireBucket(ctx, tx, name); err != nil {
			return nil, err
		}
		var full bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?)", name).Scan(&full); err != nil {
			return nil, err
		}
		if full {
			return nil, fmt.Errorf("bucket %q: %w", name, blob.ErrBucketNotEmpty)
		}
		ids, err := filesOf(ctx, tx, "SELECT id FROM uploads WHERE bucket = ?", name)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			files, err := removeOwner(ctx, tx, id)
			if err != nil {
				return nil, err
			}
			junk = append(junk, files...)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM uploads WHERE bucket = ?", name); err != nil {
			return nil, err
		}
		if _, err = tx.ExecContext(ctx, "DELETE FROM buckets WHERE name = ?", name); err != nil {
			return nil, err
		}
		// Now, and not by the reclaimer: a bucket of the same name may be made at once.
		if err := os.Remove(s.notePath(bucketNote(name))); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		return junk, nil
	})
}

// ListBuckets returns up to max buckets with the prefix, after the name after, by name and
// without their tags. The system's own is not among them.
func (s *Store) ListBuckets(ctx context.Context, prefix, after string, max int) ([]blob.Bucket, error) {
	var buckets []blob.Bucket
	err := each(ctx, s.db.Reader, "SELECT name, created FROM buckets WHERE name > ? AND name <> ? AND substr(name, 1, length(?)) = ? ORDER BY name LIMIT ?",
		[]any{after, outcrop.SystemBucket, prefix, prefix, max}, func(rows *sql.Rows) error {
			var b blob.Bucket
			var created int64
			err := rows.Scan(&b.Name, &created)
			b.Created = fromMillis(created)
			buckets = append(buckets, b)
			return err
		})
	return buckets, err
}

// SetBucketTags replaces a bucket's tags; none delete them. Error: ErrNoSuchBucket.
func (s *Store) SetBucketTags(ctx context.Context, name string, tags []blob.Tag) error {
	encoded, err := encodeTags(tags)
	if err != nil {
		return err
	}
	return s.commitBy(ctx, s.updateTags(tags), nil, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		if err := requireBucket(ctx, tx, name); err != nil {
			return nil, err
		}
		var created int64
		err := tx.QueryRowContext(ctx, "UPDATE buckets SET tags = ? WHERE name = ? RETURNING created", encoded, name).Scan(&created)
		if err != nil {
			return nil, err
		}
		return nil, s.noteBucket(blob.Bucket{Name: name, Created: fromMillis(created), Tags: tags})
	})
}

func encodeTags(tags []blob.Tag) (string, error) {
	if tags == nil {
		tags = []blob.Tag{}
	}
	b, err := json.Marshal(tags)
	return string(b), err
}
