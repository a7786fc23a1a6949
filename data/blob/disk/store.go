// Package disk keeps buckets and objects in one directory:
//
//	index.db     who is what: buckets, objects, uploads, parts, segments (SQLite)
//	data/ab/ab…  the bytes, in files named by random ids, never changed once written; each ends
//	             with the checksums of its blocks, compared before a byte is handed out
//	sums/ab…     the checksums of files of older programs, from the scrub
//	notes/…      what the index says and no content file does: with it, Repair makes the index anew
//	tmp/…        files that are being written; emptied on opening
//	hold         locked by who copies the files: none is removed meanwhile
//	lost+found/… files that no row named on opening; kept for 30 days
//
// An object is a row and a list of segments, each a range of a file. So a multipart upload
// is completed, and an object copied, by writing rows; no byte moves. A file that no segment
// names any more is removed in the background, once nobody reads it.
//
// What a write acknowledges is on disk: the file is synced, renamed into place, its
// directory synced, and only then the row committed with SQLite's full sync. A crash leaves
// at most files that no row names; opening finds them and moves them to lost+found. An index
// that is missing, or older than the last change that was acknowledged, is not opened: it would
// call good files unnamed.
//
// One process at a time may open a directory; the caller sees to that.
package disk

import (
	"context"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/internal/reserve"
	"outcrop.dev/outcrop/internal/sqlitedb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options are what a Store takes from the world. All but Room are required.
type Options struct {
	Now  func() time.Time
	Rand io.Reader // for ids
	Log  *slog.Logger
	Room *reserve.Reserve // for deletions on a full disk; nil: none
}

// Store is an open directory. Its methods may be called concurrently.
type Store struct {
	dir  string
	db   *sqlitedb.DB
	opt  Options
	pins pins
	junk *reclaimer
	lost lost.Folder

	damages  damages
	endScrub context.CancelFunc
	scrubbed chan struct{} // closed when the background scrub has ended

	// step, if not nil, is called between the steps of a write. Tests stop the process there.
	step func(name string)
}

// Open opens or makes a store in dir. Errors are those of the file system and SQLite.
func Open(ctx context.Context, dir string, opt Options) (*Store, error) {
	if err := makeDirs(dir); err != nil {
		return nil, err
	}
	db, err := sqlitedb.OpenGuarded(ctx, filepath.Join(dir, "index.db"), migrations,
		sqlitedb.Guard{Beside: []string{filepath.Join(dir, "data")}, Advice: advice})
	if err != nil {
		return nil, err
	}
	if opt.Room != nil {
		db.Room = opt.Room
	}
	s := &Store{dir: dir, db: db, opt: opt}
	s.lost = lost.Folder{Dir: filepath.Join(dir, lost.Name), Now: opt.Now, Log: opt.Log}
	s.pins.count = map[string]int{}
	old, err := s.leftovers()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := s.beginNotes(ctx); err != nil { // only a repair needs them
		opt.Log.Error("note what the objects are, for a repair; the next start tries again", "error", err)
	}
	s.junk = startReclaimer(s, old)
	ctx, s.endScrub = context.WithCancel(context.WithoutCancel(ctx))
	s.scrubbed = make(chan struct{})
	go s.scrubSlowly(ctx, s.scrubbed)
	return s, nil
}

// advice is what to do when the index is lost, and no copy of it is there.
const advice = "If it is lost, take it from a backup, or stop the server and run `outcrop doctor --repair`: it makes the index anew from what lies beside the objects."

// Close ends the background work and closes the index.
func (s *Store) Close() error {
	s.endScrub()
	<-s.scrubbed
	s.junk.stop()
	return s.db.Close()
}

// makeDirs makes the directory's fixed part.
func makeDirs(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o700); err != nil {
		return err
	}
	for i := range folders {
		if err := os.MkdirAll(filepath.Join(dir, "data", hex.EncodeToString([]byte{byte(i)})), 0o700); err != nil {
			return err
		}
	}
	for _, d := range []string{filepath.Join(dir, "data"), dir, filepath.Dir(dir)} {
		if err := durable.SyncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// leftovers empties tmp and lists the files in data, any of which may have lost its row, or
// never had one. It is called before the first write.
func (s *Store) leftovers() ([]string, error) {
	tmp := filepath.Join(s.dir, "tmp")
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(tmp, e.Name())); err != nil {
			return nil, err
		}
	}
	var files []string
	for i := range folders {
		names, err := s.names(i)
		if err != nil {
			return nil, err
		}
		files = append(files, names...)
	}
	return files, nil
}

// folders is how many there are in data, so that none grows huge.
const folders = 256

// names lists the i-th folder of data.
func (s *Store) names(i int) ([]string, error) {
	d, err := os.Open(filepath.Join(s.dir, "data", hex.EncodeToString([]byte{byte(i)})))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return slices.DeleteFunc(names, func(name string) bool { return len(name) < 2 }), err // none of ours
}

const idBytes = 16

// newID returns a random id in hexadecimal.
func (s *Store) newID() (string, error) {
	var b [idBytes]byte
	if _, err := io.ReadFull(s.opt.Rand, b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// now returns the time as the index keeps it, in milliseconds.
func (s *Store) now() time.Time { return s.opt.Now().UTC().Truncate(time.Millisecond) }

func (s *Store) at(step string) {
	if s.step != nil {
		s.step(step)
	}
}
