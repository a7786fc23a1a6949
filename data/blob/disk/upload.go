package disk

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"outcrop.dev/outcrop/data/blob"
)

// CreateUpload begins a multipart upload; u.ID, u.Started are set by it. Error:
// ErrNoSuchBucket.
func (s *Store) CreateUpload(ctx context.Context, u blob.Upload) (blob.Upload, error) {
	random, err := s.newID()
	if err != nil {
		return u, err
	}
	attributes, err := json.Marshal(u.Attributes)
	if err != nil {
		return u, err
	}
	u.Started = s.now()
	// Ids begin with the time, so that uploads of a key are listed in the order of their start.
	u.ID = fmt.Sprintf("%012x%s", u.Started.UnixMilli(), random)
	return u, s.commit(ctx, nil, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		if err := requireBucket(ctx, tx, u.Bucket); err != nil {
			return nil, err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO uploads (bucket, key, id, started, checksum_algorithm, checksum_type, attributes)
			VALUES (?,?,?,?,?,?,?)`, u.Bucket, []byte(u.Key), u.ID, u.Started.UnixMilli(), u.Checksum.Algorithm, u.Checksum.Type, string(attributes))
		return nil, err
	})
}

// FindUpload returns an upload. Errors: ErrNoSuchBucket, ErrNoSuchUpload.
func (s *Store) FindUpload(ctx context.Context, bucket, key, id string) (blob.Upload, error) {
	return findUpload(ctx, s.db.Reader, bucket, key, id)
}

func findUpload(ctx context.Context, q querier, bucket, key, id string) (blob.Upload, error) {
	u := blob.Upload{Bucket: bucket, Key: key, ID: id}
	var started int64
	var attributes string
	err := q.QueryRowContext(ctx, `SELECT started, checksum_algorithm, checksum_type, attributes
		FROM uploads WHERE bucket = ? AND key = ? AND id = ?`, bucket, []byte(key), id).
		Scan(&started, &u.Checksum.Algorithm, &u.Checksum.Type, &attributes)
	if errors.Is(err, sql.ErrNoRows) {
		if err := requireBucket(ctx, q, bucket); err != nil {
			return u, err
		}
		return u, fmt.Errorf("upload %q: %w", id, blob.ErrNoSuchUpload)
	}
	if err != nil {
		return u, err
	}
	u.Started = fromMillis(started)
	return u, json.Unmarshal([]byte(attributes), &u.Attributes)
}

// UploadPart stores a part, in the place of one with the same number. Errors:
// ErrNoSuchBucket, ErrNoSuchUpload, ErrNoSpace, those of in.Body and in.Accept.
func (s *Store) UploadPart(ctx context.Context, bucket, key, id string, number int, in blob.PutInput) (blob.Part, error) {
	if _, err := s.FindUpload(ctx, bucket, key, id); err != nil {
		return blob.Part{}, err
	}
	p := blob.Part{Number: number}
	describe := func(w written) origin {
		p.Size, p.ETag, p.Checksum, p.Modified = w.digest.Size, hex.EncodeToString(w.digest.Sums[blob.MD5]), w.checksum, s.now()
		return origin{Bucket: bucket, Key: []byte(key), Upload: id, Part: &p}
	}
	w, err := s.write(ctx, in, describe)
	if err != nil {
		return blob.Part{}, err
	}
	return s.commitPart(ctx, bucket, key, id, p, w.segments)
}

// ListParts returns the parts of an upload after the number after, up to max. Errors:
// ErrNoSuchBucket, ErrNoSuchUpload.
func (s *Store) ListParts(ctx context.Context, bucket, key, id string, after, max int) (u blob.Upload, parts []blob.Part, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) (err error) {
		if u, err = findUpload(ctx, tx, bucket, key, id); err != nil {
			return err
		}
		parts, err = findParts(ctx, tx, id, after, max)
		return err
	})
	return u, parts, err
}

// AbortUpload forgets an upload and its parts. Errors: ErrNoSuchBucket, ErrNoSuchUpload.
func (s *Store) AbortUpload(ctx context.Context, bucket, key, id string) error {
	return s.commitFreeing(ctx, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		if _, err := findUpload(ctx, tx, bucket, key, id); err != nil {
			return nil, err
		}
		if err := deleteUpload(ctx, tx, bucket, key, id); err != nil {
			return nil, err
		}
		return removeOwner(ctx, tx, id)
	})
}

func deleteUpload(ctx context.Context, tx *sql.Tx, bucket, key, id string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM uploads WHERE bucket = ? AND key = ? AND id = ?", bucket, []byte(key), id)
	return err
}

func insertPart(ctx context.Context, tx *sql.Tx, owner string, p blob.Part) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO parts (owner, number, size, etag, modified, checksum_algorithm, checksum)
		VALUES (?,?,?,?,?,?,?)`, owner, p.Number, p.Size, p.ETag, p.Modified.UnixMilli(), p.Checksum.Algorithm, p.Checksum.Value)
	return err
}

func findParts(ctx context.Context, q querier, owner string, after, max int) ([]blob.Part, error) {
	var parts []blob.Part
	err := each(ctx, q, `SELECT number, size, etag, modified, checksum_algorithm, checksum
		FROM parts WHERE owner = ? AND number > ? ORDER BY number LIMIT ?`, []any{owner, after, max}, func(rows *sql.Rows) error {
		var p blob.Part
		var modified int64
		err := rows.Scan(&p.Number, &p.Size, &p.ETag, &modified, &p.Checksum.Algorithm, &p.Checksum.Value)
		p.Modified = fromMillis(modified)
		parts = append(parts, p)
		return err
	})
	return parts, err
}
