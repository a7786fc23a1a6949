package disk

import (
	"context"
	"database/sql"
	"io"
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

// reader reads segments one after the other, a block at a time, and hands out no byte of a block
// before the block has been compared with its checksum. One file is open at a time.
type reader struct {
	s      *Store
	pinned []segment
	todo   []segment
	c      *content
	buffer *[]byte // nil until it is needed
	block  []byte  // of buffer: checked, and not handed out yet
	close  sync.Once
}

var blockBuffers = sync.Pool{New: func() any { b := make([]byte, blockBytes); return &b }}

// Range makes the next Read begin at first and end after n bytes.
func (r *reader) Range(first, n int64) {
	r.closeContent()
	r.block = nil
	r.todo = cut(r.pinned, first, n)
}

func (r *reader) closeContent() {
	if r.c != nil {
		r.c.f.Close()
		r.c = nil
	}
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

// Check reads the first block of the range. Errors: blob.ErrDamaged, those of the file system.
func (r *reader) Check() error {
	if err := r.fill(); err != io.EOF {
		return err
	}
	return nil
}

// Read reads on. A file that is shorter than its row says is an error, never a short object.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(p, r.block)
	r.block = r.block[n:]
	return n, nil
}

// WriteTo writes the rest to w.
func (r *reader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		if err := r.fill(); err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := w.Write(r.block)
		total += int64(n)
		r.block = r.block[n:]
		if err != nil {
			return total, err
		}
	}
}

// fill makes sure that there are checked bytes. io.EOF if none are left.
func (r *reader) fill() (err error) {
	if len(r.block) > 0 {
		return nil
	}
	if len(r.todo) == 0 {
		return io.EOF
	}
	g := &r.todo[0]
	if r.c == nil {
		if r.c, err = r.s.openContent(g.file); err != nil {
			return err
		}
	}
	if r.buffer == nil {
		r.buffer = blockBuffers.Get().(*[]byte)
	}
	if r.block, err = r.c.block(*g, *r.buffer); err != nil {
		return r.s.damage(g.file, err)
	}
	g.offset += int64(len(r.block))
	if g.length -= int64(len(r.block)); g.length == 0 {
		r.todo = r.todo[1:]
		if len(r.todo) == 0 || r.todo[0].file != g.file {
			r.closeContent()
		}
	}
	return nil
}

// Close releases the files.
func (r *reader) Close() error {
	r.close.Do(func() {
		r.closeContent()
		if r.buffer != nil {
			blockBuffers.Put(r.buffer)
			r.buffer, r.block, r.todo = nil, nil, nil
		}
		r.s.junk.add(r.s.pins.drop(r.pinned)...)
	})
	return nil
}
