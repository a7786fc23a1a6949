package disk

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/internal/sqlitedb"
)

// The pace of the background scrub: slow enough that nobody notices, a terabyte in three days.
const (
	scrubAfter = time.Minute      // the first begins so long after the start
	scrubEvery = 24 * time.Hour   // and the next so long after the last has ended
	scrubPause = time.Second / 64 // after each block
)

// ScrubReport says what a scrub saw.
type ScrubReport struct {
	Files, Bytes int64
	New          int64    // files that had no checksums and have them now
	Damaged      []string // paths below the store's directory
}

// Scrub compares every stored byte of the store in dir with its checksum, also while a server has
// the store open. A file of an older program gets its checksums, once it has been compared with the
// ETag of its object. Errors are those of the file system and of SQLite; damage is none.
func Scrub(ctx context.Context, dir string, opt Options) (ScrubReport, error) {
	path := filepath.Join(dir, "index.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return ScrubReport{}, nil // nothing was ever stored
	}
	db, err := sqlitedb.OpenGuarded(ctx, path, migrations, sqlitedb.Guard{Advice: advice})
	if err != nil {
		return ScrubReport{}, err
	}
	defer db.Close()
	s := &Store{dir: dir, db: db, opt: opt, pins: pins{count: map[string]int{}}}
	return s.scrub(ctx, 0, func() error { return ctx.Err() })
}

// scrubSlowly runs in the background until ctx ends. It begins anywhere, so that a server that is
// started often does not see the same files each time.
func (s *Store) scrubSlowly(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	wait := scrubAfter
	for pause.For(ctx, wait, nil) == nil {
		s.expireLost()
		var first [1]byte
		_, err := io.ReadFull(s.opt.Rand, first[:])
		if err == nil {
			_, err = s.scrub(ctx, int(first[0]), func() error { return pause.For(ctx, scrubPause, nil) })
		}
		if err != nil && ctx.Err() == nil {
			s.opt.Log.Error("compare what is stored with its checksums; it will be tried again", "error", err)
		}
		wait = scrubEvery
	}
}

// scrub goes through the folders of data from the first on. rest is called after each block.
func (s *Store) scrub(ctx context.Context, first int, rest func() error) (r ScrubReport, err error) {
	for i := range folders {
		names, err := s.names((first + i) % folders)
		if err != nil {
			return r, err
		}
		for _, file := range names {
			if err := s.scrubFile(ctx, file, &r, rest); err != nil {
				return r, err
			}
		}
	}
	return r, s.scrubMissing(ctx, &r)
}

// scrubMissing finds files that the index names and that are not there.
func (s *Store) scrubMissing(ctx context.Context, r *ScrubReport) error {
	files, err := filesOf(ctx, s.db.Reader, "SELECT DISTINCT file FROM segments")
	if err != nil {
		return err
	}
	for _, file := range files {
		if exists(s.path(file)) {
			continue
		}
		if used, err := s.used(ctx, file); err != nil {
			return err
		} else if used { // still: it was not deleted meanwhile
			_ = s.damage(file, fmt.Errorf("%w: %s is missing", blob.ErrDamaged, bodyName(file))) // is in the log now
			r.Damaged = append(r.Damaged, bodyName(file))
		}
	}
	return nil
}

func (s *Store) scrubFile(ctx context.Context, file string, r *ScrubReport, rest func() error) error {
	release, err := s.hold(ctx, file)
	if err != nil || release == nil {
		return err
	}
	defer release()
	err = s.compare(ctx, file, r, rest)
	switch {
	case errors.Is(err, blob.ErrDamaged):
		_ = s.damage(file, err) // is in the log now
		r.Damaged = append(r.Damaged, bodyName(file))
		err = nil
	case errors.Is(err, fs.ErrNotExist): // of a server beside this program: deleted since
		err = nil
	}
	r.Files++
	return err
}

// hold keeps a file that is named from being removed until release is called; nil if it is not.
func (s *Store) hold(ctx context.Context, file string) (release func(), err error) {
	s.pins.mu.RLock()
	defer s.pins.mu.RUnlock()
	used, err := s.used(ctx, file)
	if err != nil || !used {
		return nil, err
	}
	pinned := []segment{{file: file}}
	s.pins.add(pinned)
	return func() {
		if idle := s.pins.drop(pinned); s.junk != nil {
			s.junk.add(idle...)
		}
	}, nil
}

func (s *Store) used(ctx context.Context, file string) (used bool, err error) {
	err = s.db.Reader.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM segments WHERE file = ?)", file).Scan(&used)
	return used, err
}

// compare reads a file's body. Error: blob.ErrDamaged.
func (s *Store) compare(ctx context.Context, file string, r *ScrubReport, rest func() error) error {
	c, err := s.openContent(file)
	if err != nil {
		return err
	}
	defer c.f.Close()
	if !c.checked {
		info, err := c.f.Stat()
		if err != nil {
			return err
		}
		c.size = info.Size()
	}
	var of sums
	h := md5.New()
	buffer := make([]byte, blockBytes)
	for at := int64(0); at < c.size; {
		b, err := c.block(segment{file, at, c.size - at}, buffer)
		if err != nil {
			return err
		}
		if !c.checked {
			of.add(b)
			h.Write(b)
		}
		at += int64(len(b))
		r.Bytes += int64(len(b))
		if err := rest(); err != nil {
			return err
		}
	}
	if err := s.compareRows(ctx, c, hex.EncodeToString(h.Sum(nil))); err != nil || c.checked {
		return err
	}
	r.New++
	return s.writeSums(file, c.size, of)
}

// wholeFile finds what is stored in a file of its own: the tag is then that file's MD5. One of the
// rows is as good as another.
const wholeFile = `SELECT length, etag FROM (
	SELECT s.length, o.etag FROM segments s JOIN objects o ON o.id = s.owner
		WHERE s.file = ?1 AND s.offset = 0 AND o.parts = 0 AND o.size = s.length
	UNION SELECT s.length, p.etag FROM segments s JOIN parts p ON p.owner = s.owner AND p.number = s.part
		WHERE s.file = ?1 AND s.offset = 0 AND p.size = s.length) ORDER BY length DESC LIMIT 1`

// compareRows compares a file with what the index says of it: all of it must be there, and one that
// has no checksums must have the MD5 that its tag is.
func (s *Store) compareRows(ctx context.Context, c *content, sum string) error {
	var end int64
	if err := s.db.Reader.QueryRowContext(ctx, "SELECT coalesce(max(offset + length), 0) FROM segments WHERE file = ?", c.name).Scan(&end); err != nil {
		return err
	}
	if end > c.size {
		return c.short(segment{c.name, 0, end})
	}
	if c.checked {
		return nil
	}
	var length int64
	var tag string
	err := s.db.Reader.QueryRowContext(ctx, wholeFile, c.name).Scan(&length, &tag)
	if errors.Is(err, sql.ErrNoRows) || err == nil && length != c.size {
		return nil
	}
	if err == nil && tag != sum {
		err = fmt.Errorf("%w: %s has the MD5 %s, and the tag is %s", blob.ErrDamaged, bodyName(c.name), sum, tag)
	}
	return err
}
