package disk

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/internal/durable"
)

// A note says what an object or a bucket is, beside the index, so that the index can be made anew.
// A put has its own in the footer of its file. The folder notes has those of what is made by rows
// alone: objects of parts, copies, empty objects, changed tags, buckets. A note is on disk before its
// row, and removed after it. One whose files are gone says nothing.

// firstNote is the file with the notes of all that was there when notes began, a line each.
const firstNote = "first"

// note is one JSON document.
type note struct {
	Noted    int64        `json:",omitempty"` // in Unix milliseconds: of two of a key, the later one counts
	Bucket   *blob.Bucket `json:",omitempty"` // of a bucket
	Object   *origin      `json:",omitempty"` // of an object
	Parts    []blob.Part  `json:",omitempty"`
	Segments []noteSegment
}

type noteSegment struct {
	Part           int
	File           string
	Offset, Length int64
}

func (s *Store) notePath(name string) string { return filepath.Join(s.dir, "notes", name) }

// bucketNote is the name of a bucket's note: of a length that any file system takes.
func bucketNote(bucket string) string {
	sum := sha256.Sum256([]byte(bucket))
	return "bucket-" + hex.EncodeToString(sum[:idBytes])
}

func (s *Store) writeNote(name string, n note) error {
	n.Noted = s.now().UnixMilli()
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return s.diskError(durable.WriteBytes(s.notePath(name), 0o600, b))
}

func (s *Store) noteBucket(b blob.Bucket) error {
	return s.writeNote(bucketNote(b.Name), note{Bucket: &b})
}

// noteObject writes the note of an object that has its rows in tx.
func (s *Store) noteObject(ctx context.Context, q querier, o blob.Object) error {
	n, err := objectNote(ctx, q, o)
	if err != nil {
		return err
	}
	return s.writeNote(o.ID, n)
}

func objectNote(ctx context.Context, q querier, o blob.Object) (n note, err error) {
	of := originOf(o)
	n.Object = &of
	if o.Parts > 0 {
		if n.Parts, err = findParts(ctx, q, o.ID, 0, partsMax); err != nil {
			return n, err
		}
	}
	err = each(ctx, q, "SELECT part, file, offset, length FROM segments WHERE owner = ? ORDER BY part, n", []any{o.ID}, func(rows *sql.Rows) error {
		var g noteSegment
		err := rows.Scan(&g.Part, &g.File, &g.Offset, &g.Length)
		n.Segments = append(n.Segments, g)
		return err
	})
	return n, err
}

// noteOf marks the name of a note among files that have become unused.
const noteOf = "@"

// beginNotes notes all that a store of an older program has. It is done once.
func (s *Store) beginNotes(ctx context.Context) error {
	if _, err := os.Stat(s.notePath(firstNote)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(s.notePath(""), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(s.notePath(firstNote), 0o600, func(w io.Writer) error {
		return s.db.View(ctx, func(tx *sql.Tx) error { return noteAll(ctx, tx, json.NewEncoder(w)) })
	})
}

// noteAll writes the notes of all buckets and objects.
func noteAll(ctx context.Context, tx *sql.Tx, to *json.Encoder) error {
	var buckets []blob.Bucket
	if err := each(ctx, tx, "SELECT name, created, tags FROM buckets", nil, func(rows *sql.Rows) error {
		var b blob.Bucket
		var created int64
		var tags string
		err := rows.Scan(&b.Name, &created, &tags)
		b.Created = fromMillis(created)
		buckets = append(buckets, b)
		return errors.Join(err, json.Unmarshal([]byte(tags), &buckets[len(buckets)-1].Tags))
	}); err != nil {
		return err
	}
	for _, b := range buckets {
		if err := to.Encode(note{Bucket: &b}); err != nil {
			return err
		}
		if err := noteBucketObjects(ctx, tx, b.Name, to); err != nil {
			return err
		}
	}
	return nil
}

func noteBucketObjects(ctx context.Context, tx *sql.Tx, bucket string, to *json.Encoder) error {
	keys, err := filesOf(ctx, tx, "SELECT key FROM objects WHERE bucket = ?", bucket)
	if err != nil {
		return err
	}
	for _, key := range keys {
		o, err := findObject(ctx, tx, bucket, key)
		if errors.Is(err, blob.ErrDamaged) {
			continue // there is nothing to note
		}
		if err != nil {
			return fmt.Errorf("note what %q is: %w", key, err)
		}
		n, err := objectNote(ctx, tx, o)
		if err != nil {
			return err
		}
		n.Noted = o.Modified.UnixMilli()
		if err := to.Encode(n); err != nil {
			return err
		}
	}
	return nil
}
