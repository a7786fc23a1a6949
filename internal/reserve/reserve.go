// Package reserve keeps room back on a disk, so that a disk that is full can be emptied: a
// deletion is a write, too. A file of Size bytes is given up slice by slice by what makes room,
// and taken again by whoever writes next. As long as some of it is missing, nothing else may
// write, so that what was given up is there for the next deletion.
//
//	r, err := reserve.Open(dir)
//	err = r.Check()                   // before an ordinary write
//	err = r.Spend(func() error { … }) // a deletion
//
// It knows neither databases nor who deletes what.
package reserve

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
)

const (
	// File is the name of the file that is given up.
	File = "reserve"
	// Size is what it takes: the write-ahead logs of three databases (4 MiB each, at which SQLite
	// begins them anew), and some more for the databases themselves.
	Size = 16 << 20
	// slice is what is given up at once: what one deletion takes. Others write to the disk, too, and
	// may be faster.
	slice = 64 << 10
	// probe is what must be free besides, for the disk not to be called full.
	probe = 64 << 10
)

// Reserve is the room that is kept back in a directory. It is safe for concurrent use.
type Reserve struct {
	dir  string
	mu   sync.Mutex
	f    *os.File // nil: none is kept, and whole is true
	held int64
	// whole tells that all of it is held: one look, as every write takes one.
	whole atomic.Bool
}

// Open takes the reserve of a directory, or as much of it as there is room for. One process at a
// time may have it. Errors: those of the file system, but not that the disk is full.
func Open(dir string) (*Reserve, error) {
	f, err := os.OpenFile(filepath.Join(dir, File), os.O_RDWR|os.O_CREATE, 0o600)
	if IsFull(err) {
		return None(dir), nil
	}
	if err != nil {
		return nil, fmt.Errorf("keep room back: %w", err)
	}
	r := &Reserve{dir: dir, f: f}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.take(); err != nil && !IsFull(err) {
		return nil, errors.Join(fmt.Errorf("keep room back: %w", err), f.Close())
	}
	return r, nil
}

// None keeps nothing back: for who only reads, or writes beside the one that has the reserve.
func None(dir string) *Reserve {
	r := &Reserve{dir: dir}
	r.whole.Store(true)
	return r
}

// take makes the file whole, as far as there is room. A copy of the directory may have holes in it, so
// all of it is asked for.
func (r *Reserve) take() error {
	if r.held == 0 {
		if info, err := r.f.Stat(); err != nil {
			return err
		} else if info.Size() > Size {
			if err := r.f.Truncate(Size); err != nil {
				return err
			}
		}
	}
	for r.held < Size {
		if err := allocate(r.f, r.held, slice); err != nil {
			return errors.Join(err, r.f.Truncate(r.held))
		}
		r.held += slice
	}
	r.whole.Store(true)
	return nil
}

// allocate has the disk set n bytes of a file aside. Where the file system cannot do so, they are
// written, with bytes that none makes smaller.
func allocate(f *os.File, at, n int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, at, n)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EOPNOTSUPP):
			return err
		}
		b := make([]byte, n)
		rand.Read(b) // never fails (crypto/rand)
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
		return f.Sync()
	}
}

// Check returns nil if an ordinary write may be tried: all of the reserve is held, or could be taken
// again. Else it returns an *Error.
func (r *Reserve) Check() error {
	if r.whole.Load() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.take(); err != nil {
		return r.full(err)
	}
	return nil
}

// Full returns an *Error if the disk is full: some of the reserve is missing, or nothing is free
// besides.
func (r *Reserve) Full() error {
	if err := r.Check(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f != nil && r.held < Size { // given up since
		return r.full(syscall.ENOSPC)
	}
	if r.f == nil {
		if free, size := r.space(); size > 0 && free < probe {
			return r.full(syscall.ENOSPC)
		}
		return nil
	}
	err := allocate(r.f, Size, probe)
	if cut := r.f.Truncate(Size); cut != nil {
		return cut
	}
	if IsFull(err) {
		return r.full(err)
	}
	return err
}

// Spend calls f, and calls it again with more room as long as it says that the disk is full and there is
// some to give up. What was too much is taken back.
func (r *Reserve) Spend(f func() error) error {
	err := f()
	for IsFull(err) && r.giveUp() {
		err = f()
	}
	_ = r.Check() // who writes next is told if that is not all
	return err
}

// giveUp frees a slice of the reserve; ok is false if none is left.
func (r *Reserve) giveUp() (ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == 0 {
		return false
	}
	r.whole.Store(false)
	r.held -= slice
	return r.f.Truncate(r.held) == nil
}

// MakeRoom gives up as much as it takes for n bytes to be free: to begin with, a server needs some.
func (r *Reserve) MakeRoom(n int64) {
	for free, _ := r.space(); free < n && r.giveUp(); free, _ = r.space() {
	}
}

// Close lets go of the file, which goes on keeping the room.
func (r *Reserve) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		return nil
	}
	err := r.f.Close()
	r.f, r.held = nil, 0
	r.whole.Store(true)
	return err
}

// Explain returns err with the numbers, if it says that the disk is full, else err itself.
func (r *Reserve) Explain(err error) error {
	var told *Error
	if !IsFull(err) || errors.As(err, &told) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full(err)
}

// full is Explain for who holds the lock.
func (r *Reserve) full(err error) error {
	free, size := r.space()
	return &Error{Free: free, Size: size, Held: r.held, Err: err}
}

// space returns how much of the disk is free, and how large it is; zeros if it does not tell.
func (r *Reserve) space() (free, size int64) {
	var st syscall.Statfs_t
	if syscall.Statfs(r.dir, &st) != nil {
		return 0, 0
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize
}

// IsFull reports whether err says that a disk, or somebody's share of it, is full.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// OneDisk reports whether two paths lie on one file system.
func OneDisk(a, b string) (bool, error) {
	var infos [2]fs.FileInfo
	for i, path := range []string{a, b} {
		var err error
		if infos[i], err = os.Stat(path); err != nil {
			return false, err
		}
	}
	return infos[0].Sys().(*syscall.Stat_t).Dev == infos[1].Sys().(*syscall.Stat_t).Dev, nil
}

// Error says that a disk is full. IsFull reports true for it.
type Error struct {
	Free, Size int64 // of the disk, in bytes
	Held       int64 // kept back
	Err        error // what said so
}

// Error returns a sentence for people.
func (e *Error) Error() string {
	const mb = 1e6
	return fmt.Sprintf("The server's disk is full: %.1f of %.1f MB are free, and %.1f MB are kept back for deletions. "+
		"Delete objects or models, or free space on the machine that runs Outcrop, and try again.",
		float64(e.Free)/mb, float64(e.Size)/mb, float64(e.Held)/mb)
}

// Is makes every Error one that says that the disk is full.
func (e *Error) Is(target error) bool { return target == syscall.ENOSPC }

// Unwrap returns what said so.
func (e *Error) Unwrap() error { return e.Err }
