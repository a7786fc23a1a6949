package disk

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/internal/reserve"
	"outcrop.dev/outcrop/internal/sqlitedb"
)

const (
	// bufferBytes is the unit of copying: large enough that system calls do not matter.
	bufferBytes = 4 * blockBytes
	// buffersMax is how many buffers one upload uses, so that the network, the hashes and
	// the disk can work at the same time. It bounds an upload's memory to 1 MiB.
	buffersMax = 4
	// writebackBytes is how much is written before the kernel is told to begin writing it
	// to the disk; without that, everything would wait for the sync at the end.
	writebackBytes = 8 << 20
	// syncFileRangeWrite is SYNC_FILE_RANGE_WRITE of sync_file_range(2).
	syncFileRangeWrite = 2
)

// segment is a range of a file.
type segment struct {
	file           string
	offset, length int64
}

func (s *Store) path(file string) string { return filepath.Join(s.dir, "data", file[:2], file) }

// written is a body that is on disk, and not yet in the index.
type written struct {
	segments []segment
	digest   blob.Digest
	checksum blob.Checksum
}

// write stores in.Body in a file of its own, which is safe on disk when write returns; describe
// says what it is the body of. An empty body has no file.
func (s *Store) write(ctx context.Context, in blob.PutInput, describe func(written) origin) (w written, err error) {
	if err := s.db.Room.Check(); err != nil {
		return w, s.diskError(err)
	}
	id, err := s.newID()
	if err != nil {
		return w, err
	}
	tmp := filepath.Join(s.dir, "tmp", id)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return w, s.diskError(err)
	}
	defer os.Remove(tmp) // no effect once it is renamed
	defer f.Close()
	var of sums
	if w.digest, of, err = s.fill(ctx, f, in); err != nil {
		return w, s.diskError(err)
	}
	if in.Accept != nil {
		if w.checksum, err = in.Accept(w.digest); err != nil {
			return w, err
		}
	}
	is := describe(w)
	if w.digest.Size == 0 {
		return w, nil
	}
	w.segments = []segment{{id, 0, w.digest.Size}}
	foot := footer{size: w.digest.Size, sums: of}
	if foot.origin, err = encodeOrigin(is); err != nil {
		return w, err
	}
	if _, err := f.Write(foot.encode()); err != nil {
		return w, s.diskError(err)
	}
	return w, s.settle(f, tmp, id)
}

// settle makes the file durable and gives it its name.
func (s *Store) settle(f *os.File, tmp, id string) error {
	s.at("written")
	if err := f.Sync(); err != nil {
		return s.diskError(err)
	}
	s.at("synced")
	if err := os.Rename(tmp, s.path(id)); err != nil {
		return s.diskError(err)
	}
	s.at("renamed")
	if err := durable.SyncDir(filepath.Dir(s.path(id))); err != nil {
		s.junk.add(id)
		return s.diskError(err)
	}
	s.at("named")
	return nil
}

// fill copies the body into f and computes its digests, and the sums of its blocks.
func (s *Store) fill(ctx context.Context, f *os.File, in blob.PutInput) (d blob.Digest, of sums, err error) {
	hashes := map[blob.Algorithm]hash.Hash{blob.MD5: blob.MD5.New()}
	for _, a := range in.Algorithms {
		hashes[a] = a.New()
	}
	n, err := pump(f, contextReader{ctx, in.Body}, func(b []byte) {
		of.add(b)
		for _, h := range hashes {
			h.Write(b)
		}
	})
	d = blob.Digest{Size: n, Sums: map[blob.Algorithm][]byte{}}
	for a, h := range hashes {
		d.Sums[a] = h.Sum(nil)
	}
	return d, of, err
}

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferBytes); return &b }}

// pump copies r to f, calling sum with every piece, in order, on another goroutine. A body
// that fits into one buffer uses no more.
func pump(f *os.File, r io.Reader, sum func([]byte)) (total int64, err error) {
	free := make(chan *[]byte, buffersMax)
	full := make(chan piece, buffersMax)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p := range full {
			sum((*p.buffer)[:p.n])
			free <- p.buffer
		}
	}()
	made := 0
	for begun := int64(0); err == nil; {
		p := piece{buffer: nextBuffer(free, &made)}
		p.n, err = io.ReadFull(r, *p.buffer)
		full <- p
		if _, werr := f.Write((*p.buffer)[:p.n]); werr != nil {
			err = werr
		}
		total += int64(p.n)
		if total-begun >= writebackBytes {
			// Only a hint: an error will come back from the sync.
			_ = syscall.SyncFileRange(int(f.Fd()), begun, total-begun, syncFileRangeWrite)
			begun = total
		}
	}
	close(full)
	<-done
	close(free)
	for b := range free {
		buffers.Put(b)
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF { // of io.ReadFull: see contextReader
		err = nil
	}
	return total, err
}

// piece is what one read put into a buffer.
type piece struct {
	buffer *[]byte
	n      int
}

// nextBuffer returns a buffer that is free; if none is, a new one, or from the last one on it
// waits.
func nextBuffer(free chan *[]byte, made *int) *[]byte {
	select {
	case b := <-free:
		return b
	default:
	}
	if *made == buffersMax {
		return <-free
	}
	*made++
	return buffers.Get().(*[]byte)
}

// contextReader fails when ctx ends. It tells a body that was cut off from one that just does
// not fill the last buffer: io.ReadFull says io.ErrUnexpectedEOF for both.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if err == io.ErrUnexpectedEOF {
		err = errCutOff
	}
	return n, err
}

// errCutOff stands for io.ErrUnexpectedEOF of the body itself.
var errCutOff = fmt.Errorf("the body was cut off: %w", io.ErrUnexpectedEOF)

// diskError says in the words of package blob that the disk is full, or that the index is locked.
func (s *Store) diskError(err error) error {
	if full, ok := errors.AsType[*reserve.Error](s.db.Room.Explain(err)); ok {
		return &blob.SpaceError{Says: full.Error(), Err: err}
	}
	if errors.Is(err, sqlitedb.ErrBusy) {
		return fmt.Errorf("%w: %w", blob.ErrBusy, err)
	}
	return err
}
