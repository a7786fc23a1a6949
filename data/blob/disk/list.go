package disk

import (
	"context"
	"database/sql"
	"strings"

	"outcrop.dev/outcrop/data/blob"
)

// ListObjects returns a page of a bucket's objects. It seeks: its cost grows with the page,
// not with the bucket, however many keys a common prefix hides. Error: ErrNoSuchBucket.
func (s *Store) ListObjects(ctx context.Context, bucket string, q blob.ObjectQuery) (page blob.ObjectPage, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		if err := requireBucket(ctx, tx, bucket); err != nil {
			return err
		}
		l := lister{ctx: ctx, tx: tx, bucket: bucket, q: q, page: &page}
		return l.run()
	})
	return page, err
}

// lister walks the keys of a bucket from lower up to upper.
type lister struct {
	ctx          context.Context
	tx           *sql.Tx
	bucket       string
	q            blob.ObjectQuery
	page         *blob.ObjectPage
	lower, upper []byte // upper nil: no limit
	end          bool
}

func (l *lister) run() error {
	l.lower = []byte(l.q.Prefix)
	if l.q.After != "" && l.q.After >= l.q.Prefix {
		l.lower = append([]byte(l.q.After), 0)
	}
	if l.q.AfterPrefix != "" {
		l.seekPast(l.q.AfterPrefix)
	}
	if l.q.Prefix != "" {
		l.upper = successor(l.q.Prefix)
	}
	for !l.end && l.q.Max > 0 {
		if err := l.batch(); err != nil {
			return err
		}
	}
	return nil
}

// batch reads on from lower until the page is full, the keys end, or a common prefix makes
// it worth while to seek.
func (l *lister) batch() error {
	l.end = true // unless something below says otherwise
	query := "SELECT key, id, size, etag, modified, checksum_algorithm, checksum_type FROM objects WHERE bucket = ? AND key >= ?"
	args := []any{l.bucket, l.lower}
	if l.upper != nil {
		query += " AND key < ?"
		args = append(args, l.upper)
	}
	args = append(args, l.q.Max+1)
	return each(l.ctx, l.tx, query+" ORDER BY key LIMIT ?", args, func(rows *sql.Rows) error {
		o, err := scanListed(rows, l.bucket)
		if err != nil {
			return err
		}
		if len(l.page.Objects)+len(l.page.Prefixes) == l.q.Max {
			l.page.Truncated = true
			return errStop
		}
		common, rolled := commonPrefix(o.Key, l.q.Prefix, l.q.Delimiter)
		if !rolled {
			l.page.Objects = append(l.page.Objects, o)
			l.page.Last, l.page.LastIsPrefix = o.Key, false
			return nil
		}
		l.page.Prefixes = append(l.page.Prefixes, common)
		l.page.Last, l.page.LastIsPrefix = common, true
		l.seekPast(common)
		return errStop
	})
}

// seekPast makes the next batch begin behind every key that begins with prefix.
func (l *lister) seekPast(prefix string) {
	next := successor(prefix)
	l.end = next == nil
	if string(next) > string(l.lower) {
		l.lower = next
	}
}

func scanListed(rows *sql.Rows, bucket string) (blob.Object, error) {
	o := blob.Object{Bucket: bucket}
	var key []byte
	var modified int64
	err := rows.Scan(&key, &o.ID, &o.Size, &o.ETag, &modified, &o.Checksum.Algorithm, &o.Checksum.Type)
	o.Key, o.Modified = string(key), fromMillis(modified)
	return o, err
}

// commonPrefix returns key up to and with the first delimiter after prefix.
func commonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter == "" {
		return "", false
	}
	i := strings.Index(key[len(prefix):], delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(prefix)+i+len(delimiter)], true
}

// successor returns the least string above all those that begin with prefix, or nil if
// there is none.
func successor(prefix string) []byte {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return b[:i+1]
		}
	}
	return nil
}

// ListUploads returns a page of the uploads under way. Error: ErrNoSuchBucket.
func (s *Store) ListUploads(ctx context.Context, bucket string, q blob.UploadQuery) (page blob.UploadPage, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) error {
		if err := requireBucket(ctx, tx, bucket); err != nil {
			return err
		}
		return listUploads(ctx, tx, bucket, q, &page)
	})
	return page, err
}

func listUploads(ctx context.Context, tx *sql.Tx, bucket string, q blob.UploadQuery, page *blob.UploadPage) error {
	query := `SELECT key, id, started, checksum_algorithm, checksum_type FROM uploads
		WHERE bucket = ? AND key >= ? AND (key > ? OR (key = ? AND ? <> '' AND id > ?)) ORDER BY key, id`
	after := []byte(q.AfterKey)
	if q.Max == 0 {
		return nil
	}
	return each(ctx, tx, query, []any{bucket, []byte(q.Prefix), after, after, q.AfterID, q.AfterID}, func(rows *sql.Rows) error {
		u := blob.Upload{Bucket: bucket}
		var key []byte
		var started int64
		if err := rows.Scan(&key, &u.ID, &started, &u.Checksum.Algorithm, &u.Checksum.Type); err != nil {
			return err
		}
		u.Key, u.Started = string(key), fromMillis(started)
		if !strings.HasPrefix(u.Key, q.Prefix) {
			return errStop
		}
		common, rolled := commonPrefix(u.Key, q.Prefix, q.Delimiter)
		if rolled && (common == q.AfterKey || len(page.Prefixes) > 0 && page.Prefixes[len(page.Prefixes)-1] == common) {
			return nil
		}
		if len(page.Uploads)+len(page.Prefixes) == q.Max {
			page.Truncated = true
			return errStop
		}
		if rolled {
			page.Prefixes = append(page.Prefixes, common)
			page.LastKey, page.LastID = common, ""
			return nil
		}
		page.Uploads = append(page.Uploads, u)
		page.LastKey, page.LastID = u.Key, u.ID
		return nil
	})
}
