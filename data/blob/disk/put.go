package disk

import (
	"context"
	"database/sql"
	"encoding/hex"

	"outcrop.dev/outcrop/data/blob"
)

// Put stores an object whole. When it returns nil the object is on disk. Errors:
// ErrNoSuchBucket, ErrPrecondition, ErrNoSuchKey (If-Match on nothing), ErrNoSpace, those
// of in.Body and in.Accept.
func (s *Store) Put(ctx context.Context, bucket, key string, in blob.PutInput) (blob.Object, error) {
	if err := requireBucket(ctx, s.db.Reader, bucket); err != nil {
		return blob.Object{}, err // before a byte is read
	}
	o := blob.Object{Bucket: bucket, Key: key, Attributes: in.Attributes}
	var err error
	if o.ID, err = s.newID(); err != nil {
		return blob.Object{}, err
	}
	describe := func(w written) origin {
		o.Size, o.ETag, o.Checksum, o.Modified = w.digest.Size, hex.EncodeToString(w.digest.Sums[blob.MD5]), w.checksum, s.now()
		return originOf(o)
	}
	w, err := s.write(ctx, in, describe)
	if err != nil {
		return blob.Object{}, err
	}
	return s.commitObject(ctx, o, w.segments, in.Condition, len(w.segments) > 0)
}

// originOf is what a footer says of an object.
func originOf(o blob.Object) origin {
	or := origin{Bucket: o.Bucket, Key: []byte(o.Key)}
	o.Bucket, o.Key = "", "" // a key need not be text
	or.Object = &o
	return or
}

// commitObject makes a new object of bytes that are on disk. noted: their file says what it is.
func (s *Store) commitObject(ctx context.Context, o blob.Object, segments []segment, c blob.Condition, noted bool) (blob.Object, error) {
	err := s.commit(ctx, segments, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		files, err := replaceObject(ctx, tx, o, c)
		if err != nil {
			return nil, err
		}
		if err := insertSegments(ctx, tx, o.ID, 0, segments); err != nil || noted {
			return files, err
		}
		return files, s.noteObject(ctx, tx, o)
	})
	if err != nil {
		s.junk.add(noteOf + o.ID)
		return blob.Object{}, err
	}
	return o, nil
}

// commit runs f, which names segments in rows, in a transaction. Afterwards the files that f
// returns, or those of segments if it failed, are looked at: they may have become unused.
// The client's going away does not interrupt it: everything is on disk by now.
func (s *Store) commit(ctx context.Context, segments []segment, f func(context.Context, *sql.Tx) ([]string, error)) error {
	return s.commitBy(ctx, s.db.Update, segments, f)
}

// commitFreeing is commit for what makes room: on a full disk, too. f is called again then.
func (s *Store) commitFreeing(ctx context.Context, f func(context.Context, *sql.Tx) ([]string, error)) error {
	return s.commitBy(ctx, s.db.UpdateFreeing, nil, f)
}

func (s *Store) commitBy(ctx context.Context, update func(context.Context, func(*sql.Tx) error) error, segments []segment, f func(context.Context, *sql.Tx) ([]string, error)) error {
	ctx = context.WithoutCancel(ctx)
	var junk []string
	err := update(ctx, func(tx *sql.Tx) (err error) {
		junk, err = f(ctx, tx)
		return err
	})
	s.at("committed")
	if err != nil {
		junk = nil
		for _, g := range segments {
			junk = append(junk, g.file)
		}
	}
	s.junk.add(junk...)
	return s.diskError(err)
}
