package disk

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"outcrop.dev/outcrop/data/blob"
)

// Delete removes a key. A key that does not exist is no error, unless the condition asks for
// it. Errors: ErrNoSuchBucket, ErrPrecondition, ErrNoSuchKey (If-Match on nothing).
func (s *Store) Delete(ctx context.Context, bucket, key string, c blob.Condition) error {
	return s.commitFreeing(ctx, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		return deleteKey(ctx, tx, bucket, key, c)
	})
}

// DeleteMany removes keys in one commit. Error: ErrNoSuchBucket.
func (s *Store) DeleteMany(ctx context.Context, bucket string, keys []string) error {
	return s.commitFreeing(ctx, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		var junk []string
		for _, key := range keys {
			files, err := deleteKey(ctx, tx, bucket, key, blob.Condition{})
			if err != nil {
				return nil, err
			}
			junk = append(junk, files...)
		}
		return junk, nil
	})
}

func deleteKey(ctx context.Context, tx *sql.Tx, bucket, key string, c blob.Condition) ([]string, error) {
	old, err := findObject(ctx, tx, bucket, key)
	if errors.Is(err, blob.ErrNoSuchKey) {
		return nil, checkCondition(c, false, blob.Object{Key: key})
	}
	if err != nil && !errors.Is(err, blob.ErrDamaged) {
		return nil, err
	}
	if err := checkCondition(c, true, old); err != nil {
		return nil, err
	}
	return removeObject(ctx, tx, old)
}

// SetTags replaces an object's tags; none delete them. Errors: ErrNoSuchBucket, ErrNoSuchKey.
func (s *Store) SetTags(ctx context.Context, bucket, key string, tags []blob.Tag) error {
	return s.commitBy(ctx, s.updateTags(tags), nil, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		o, err := findObject(ctx, tx, bucket, key)
		if err != nil {
			return nil, err
		}
		o.Tags = tags
		attributes, err := json.Marshal(o.Attributes)
		if err != nil {
			return nil, err
		}
		if _, err = tx.ExecContext(ctx, "UPDATE objects SET attributes = ? WHERE bucket = ? AND key = ?", string(attributes), bucket, []byte(key)); err != nil {
			return nil, err
		}
		return nil, s.noteObject(ctx, tx, o)
	})
}

// updateTags is how tags are written: that they are deleted is possible on a full disk.
func (s *Store) updateTags(tags []blob.Tag) func(context.Context, func(*sql.Tx) error) error {
	if len(tags) == 0 {
		return s.db.UpdateFreeing
	}
	return s.db.Update
}
