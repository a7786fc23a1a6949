package disk

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"sync"

	"outcrop.dev/outcrop/data/blob"
)

// Head returns an object's description. Errors: ErrNoSuchBucket, ErrNoSuchKey.
func (s *Store) Head(ctx context.Context, bucket, key string) (blob.Object, error) {
	return findObject(ctx, s.db.Reader, bucket, key)
}

// Open opens an object. Its bytes stay as they are until the reader is closed, whatever
// happens to the key. Errors: ErrNoSuchBucket, ErrNoSuchKey.
func (s *Store) Open(ctx context.Context, bucket, key string) (blob.Object, blob.Reader, error) {
	o, r, err := s.open(ctx, bucket, key)
	if err != nil {
		return o, nil, err
	}
	return o, r, nil
}

func (s *Store) open(ctx context.Context, bucket, key string) (o blob.Object, r *reader, err error) {
	s.pins.mu.RLock()
	defer s.pins.mu.RUnlock()
	var segments []segment
	err = s.db.View(ctx, func(tx *sql.Tx) (err error) {
		if o, err = findObject(ctx, tx, bucket, key); err != nil {
			return err
		}
		segments, err = findSegments(ctx, tx, o.ID)
		return err
	})
	if err != nil {
		return o, nil, err
	}
	s.pins.add(segments)
	r = &reader{s: s, pinned: segments}
	r.Range(0, o.Size)
	return o, r, nil
}

// ListObjectParts returns the parts of an object that a multipart upload made, after the
// number after, up to max. Errors: those of SQLite; an object without parts has none.
func (s *Store) ListObjectParts(ctx context.Context, o blob.Object, after, max int) ([]blob.Part, error) {
	return findParts(ctx, s.db.Reader, o.ID, after, max)
}

// reader reads segments one after the other. One file is open at a time.
type reader struct {
	s      *Store
	pinned []segment
	todo   []segment
	f      *os.File
	close  sync.Once
}

// Range makes the next Read begin at first and end after n bytes.
func (r *reader) Range(first, n int64) {
	if r.f != nil {
		r.f.Close()
		r.f = nil
	}
	r.todo = cut(r.pinned, first, n)
}

// cut returns the segments that hold the n bytes from first.
func cut(segments []segment, first, n int64) []segment {
	var out []segment
	for _, g := range segments {
		if first >= g.length {
			first -= g.length
			continue
		}
		g.offset += first
		g.length = min(g.length-first, n)
		first = 0
		if g.length <= 0 {
			break
		}
		n -= g.length
		out = append(out, g)
	}
	return out
}

// Read reads on. A file that is shorter than its row says is an error, never a short object.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.todo) == 0 {
		return 0, io.EOF
	}
	g := &r.todo[0]
	if r.f == nil {
		f, err := os.Open(r.s.path(g.file))
		if err != nil {
			return 0, fmt.Errorf("open a content file: %w", err)
		}
		r.f = f
	}
	n, err := r.f.ReadAt(p[:min(int64(len(p)), g.length)], g.offset)
	g.offset += int64(n)
	g.length -= int64(n)
	switch {
	case g.length == 0:
		r.f.Close()
		r.f = nil
		r.todo = r.todo[1:]
		err = nil
	case err == io.EOF:
		err = fmt.Errorf("content file %s is %d bytes too short", g.file, g.length)
	}
	return n, err
}

// WriteTo writes the rest to w, letting the kernel do it where it can (sendfile).
func (r *reader) WriteTo(w io.Writer) (total int64, err error) {
	for len(r.todo) > 0 {
		g := r.todo[0]
		f, err := os.Open(r.s.path(g.file))
		if err != nil {
			return total, fmt.Errorf("open a content file: %w", err)
		}
		n, err := copyRange(w, f, g)
		f.Close()
		total += n
		if err != nil {
			return total, err
		}
		r.todo = r.todo[1:]
	}
	return total, nil
}

func copyRange(w io.Writer, f *os.File, g segment) (int64, error) {
	if _, err := f.Seek(g.offset, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.CopyN(w, f, g.length)
	if err == io.EOF {
		err = fmt.Errorf("content file %s is %d bytes too short", g.file, g.length-n)
	}
	return n, err
}

// Close releases the files.
func (r *reader) Close() error {
	r.close.Do(func() {
		if r.f != nil {
			r.f.Close()
		}
		r.s.junk.add(r.s.pins.drop(r.pinned)...)
	})
	return nil
}
