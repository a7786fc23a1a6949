package disk

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/internal/sqlitedb"
)

// RepairReport says what Repair has done.
type RepairReport struct {
	Good             bool // the index is as it should be, and was left alone
	Buckets, Objects int  // of users: the system's own bucket is not counted
	Unnamed          int  // files that belong to no object: of uploads that were not completed
}

// repaired is an object as it was found.
type repaired struct {
	note
	o blob.Object
}

// repair is a Repair under way.
type repair struct {
	s       *Store
	buckets map[string]blob.Bucket
	objects map[[2]string]repaired // by bucket and key
	files   map[string]int64       // the size of each body
	order   [][2]string
}

// Repair makes the index of the store in dir anew, from the files and the notes beside it, if it
// cannot be opened; what is there of it goes to lost+found. No server may run. Uploads that were
// not completed are forgotten. An object may come back that had been deleted, if a copy of it is
// there still. Errors are those of the file system and of SQLite; then the old index is in its place.
func Repair(ctx context.Context, dir string, opt Options) (r RepairReport, err error) {
	path := filepath.Join(dir, "index.db")
	guard := sqlitedb.Guard{Beside: []string{filepath.Join(dir, "data")}}
	switch db, err := sqlitedb.OpenGuarded(ctx, path, migrations, guard); {
	case err == nil:
		return RepairReport{Good: true}, db.Close()
	case errors.Is(err, sqlitedb.ErrNewerSchema) || ctx.Err() != nil:
		return r, err
	}
	if err := makeDirs(dir); err != nil {
		return r, err
	}
	p := &repair{
		s:       &Store{dir: dir, opt: opt},
		buckets: map[string]blob.Bucket{}, objects: map[[2]string]repaired{}, files: map[string]int64{},
	}
	if err := errors.Join(p.readFiles(), p.readNotes()); err != nil {
		return r, err
	}
	made := path + durable.TempSuffix
	if r, err = p.write(ctx, made); err != nil {
		return r, errors.Join(err, removeDatabase(made))
	}
	var old []string
	for _, suffix := range []string{"", "-wal", "-shm", sqlitedb.MarkSuffix} {
		if exists(path + suffix) {
			old = append(old, path+suffix)
		}
	}
	found := lost.Folder{Dir: filepath.Join(dir, lost.Name), Now: opt.Now, Log: opt.Log}
	if err := found.Keep(old...); err != nil {
		return r, err
	}
	return r, durable.Rename(made, path)
}

func removeDatabase(path string) error {
	var err error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if e := os.Remove(path + suffix); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// readFiles takes from every content file what it says it is.
func (p *repair) readFiles() error {
	for i := range folders {
		names, err := p.s.names(i)
		if err != nil {
			return err
		}
		for _, file := range names {
			if err := p.readFile(file); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *repair) readFile(file string) error {
	f, err := os.Open(p.s.path(file))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	p.files[file] = info.Size()
	foot, err := readFooter(f, bodyName(file), false)
	if err == errNoFooter {
		return nil // of an older program: a note has it
	}
	if err != nil {
		p.s.opt.Log.Error("a stored file does not say what it is", "file", f.Name(), "error", err)
		return nil
	}
	p.files[file] = foot.size
	var of origin
	if err := json.Unmarshal(foot.origin, &of); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	if of.Object != nil {
		p.take(note{Noted: of.Object.Modified.UnixMilli(), Object: &of, Segments: []noteSegment{{File: file, Length: foot.size}}})
	}
	return nil
}

// readNotes takes what the folder of notes says. It comes after readFiles.
func (p *repair) readNotes() error {
	entries, err := os.ReadDir(p.s.notePath(""))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), durable.TempSuffix) {
			continue
		}
		if err := p.readNote(p.s.notePath(e.Name())); err != nil {
			p.s.opt.Log.Error("a note cannot be read", "error", err)
		}
	}
	return nil
}

func (p *repair) readNote(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for d := json.NewDecoder(bufio.NewReader(f)); ; {
		var n note
		if err := d.Decode(&n); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if n.Bucket != nil {
			p.buckets[n.Bucket.Name] = *n.Bucket
		}
		if n.Object != nil && n.Object.Object != nil {
			p.take(n)
		}
	}
}

// take keeps what a note says of a key, unless something later is known, or its bytes are gone.
func (p *repair) take(n note) {
	var size int64
	for _, g := range n.Segments {
		if have, ok := p.files[g.File]; !ok || g.Offset < 0 || g.Length < 0 || g.Offset+g.Length > have {
			return
		}
		size += g.Length
	}
	o := *n.Object.Object
	if o.Bucket, o.Key = n.Object.Bucket, string(n.Object.Key); size != o.Size {
		return
	}
	key := [2]string{o.Bucket, o.Key}
	known, ok := p.objects[key]
	if ok && known.Noted > n.Noted {
		return
	}
	if !ok {
		p.order = append(p.order, key)
	}
	p.objects[key] = repaired{n, o}
}

// write makes a new index at path.
func (p *repair) write(ctx context.Context, path string) (r RepairReport, err error) {
	if err := removeDatabase(path); err != nil {
		return r, err
	}
	db, err := sqlitedb.Open(ctx, path, migrations)
	if err != nil {
		return r, err
	}
	used := map[string]bool{}
	err = db.Update(ctx, func(tx *sql.Tx) error {
		for _, key := range p.order {
			if err := p.insert(ctx, tx, p.objects[key], used); err != nil {
				return err
			}
		}
		for name, b := range p.buckets {
			tags, err := encodeTags(b.Tags)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO buckets (name, created, tags) VALUES (?,?,?)", name, b.Created.UnixMilli(), tags); err != nil {
				return err
			}
		}
		return nil
	})
	r = RepairReport{Unnamed: len(p.files) - len(used)}
	for name := range p.buckets {
		if name != outcrop.SystemBucket {
			r.Buckets++
		}
	}
	for _, key := range p.order {
		if p.objects[key].o.Bucket != outcrop.SystemBucket {
			r.Objects++
		}
	}
	return r, errors.Join(err, db.Close())
}

func (p *repair) insert(ctx context.Context, tx *sql.Tx, x repaired, used map[string]bool) error {
	if _, ok := p.buckets[x.o.Bucket]; !ok {
		p.buckets[x.o.Bucket] = blob.Bucket{Name: x.o.Bucket, Created: x.o.Modified}
	}
	if err := insertObject(ctx, tx, x.o); err != nil {
		return err
	}
	for _, part := range x.Parts {
		if err := insertPart(ctx, tx, x.o.ID, part); err != nil {
			return err
		}
	}
	for i := 0; i < len(x.Segments); { // those of one part
		var segments []segment
		part := x.Segments[i].Part
		for ; i < len(x.Segments) && x.Segments[i].Part == part; i++ {
			g := x.Segments[i]
			used[g.File] = true
			segments = append(segments, segment{g.File, g.Offset, g.Length})
		}
		if err := insertSegments(ctx, tx, x.o.ID, part, segments); err != nil {
			return err
		}
	}
	return nil
}
