// Package sums keeps checksums of a directory's files in a file beside them, and compares. A model
// is loaded once and asked a thousand times: a flipped bit would be in every answer.
//
//	err := sums.Write(dir)           // once it is complete
//	err = sums.Check(ctx, dir, nil)  // before it is used
//
// A checksum is of a MiB, so that the error says where; it is a CRC-32C, which is faster than any
// disk. It knows no format.
package sums

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"outcrop.dev/outcrop/internal/durable"
)

// File is the name of the file with the checksums.
const File = "checksums.json"

// blockBytes is what one checksum is of.
const blockBytes = 1 << 20

// fileMax is more than the checksums of a terabyte take.
const fileMax = 64 << 20

// ErrDamaged is of files that are not what they were when Write saw them.
var ErrDamaged = errors.New("the bytes on the disk are not those that were stored")

// file is what is known of one file.
type file struct {
	Name   string   `json:"name"`
	Size   int64    `json:"size"`
	CRC32C []uint32 `json:"crc32c"` // of each MiB
}

// Have reports whether a directory has checksums.
func Have(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, File))
	return err == nil
}

// Write notes the checksums of the regular files in dir, for Check, but for those that may be
// changed. It reads all of them.
func Write(ctx context.Context, dir string, changing ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var all []file
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == File || slices.Contains(changing, e.Name()) || filepath.Ext(e.Name()) == durable.TempSuffix {
			continue
		}
		f := file{Name: e.Name(), CRC32C: []uint32{}}
		if err := eachBlock(ctx, filepath.Join(dir, e.Name()), nil, func(_ int, n int64, sum uint32) error {
			f.Size += n
			f.CRC32C = append(f.CRC32C, sum)
			return nil
		}); err != nil {
			return err
		}
		all = append(all, f)
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return durable.WriteBytes(filepath.Join(dir, File), 0o600, b)
}

// Check compares the files of dir with what Write noted, and says which is wrong, and where. Files
// that Write did not see are not looked at, and a directory without checksums is as good as any.
// rest, if not nil, is called after each block. Errors: ErrDamaged, those of rest, of ctx and of the
// file system.
func Check(ctx context.Context, dir string, rest func() error) error {
	all, err := read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range all {
		var size int64
		err := eachBlock(ctx, filepath.Join(dir, f.Name), rest, func(i int, n int64, sum uint32) error {
			if size += n; i >= len(f.CRC32C) || sum != f.CRC32C[i] {
				return fmt.Errorf("%w: bytes %d to %d of %s", ErrDamaged, size-n, size-1, f.Name)
			}
			return nil
		})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %s is missing", ErrDamaged, f.Name)
		case err != nil:
			return err
		case size != f.Size:
			return fmt.Errorf("%w: %s has %d bytes of %d", ErrDamaged, f.Name, size, f.Size)
		}
	}
	return nil
}

func read(dir string) ([]file, error) {
	f, err := os.Open(filepath.Join(dir, File))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fileMax))
	if err != nil {
		return nil, err
	}
	var all []file
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%w: %s cannot be read: %v. Delete it if the other files are good", ErrDamaged, File, err)
	}
	if slices.ContainsFunc(all, func(f file) bool { return !filepath.IsLocal(f.Name) }) {
		return nil, fmt.Errorf("%w: %s names a file elsewhere", ErrDamaged, File)
	}
	return all, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pieceBytes is what is read at once: it stays in the processor's cache until it is added up.
const pieceBytes = 64 << 10

var pieces = sync.Pool{New: func() any { b := make([]byte, pieceBytes); return &b }}

// eachBlock calls use with the length and the checksum of each block of a file, and rest after it.
func eachBlock(ctx context.Context, path string, rest func() error, use func(i int, n int64, sum uint32) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	piece := pieces.Get().(*[]byte)
	defer pieces.Put(piece)
	for i := 0; ; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, sum, err := block(f, *piece)
		if err != nil || n == 0 {
			return err
		}
		if err := use(i, n, sum); err != nil {
			return err
		}
		if rest != nil {
			if err := rest(); err != nil {
				return err
			}
		}
	}
}

// block reads one block, or what is left of one. n is 0 at the end.
func block(f *os.File, piece []byte) (n int64, sum uint32, err error) {
	for n < blockBytes {
		k, err := f.Read(piece)
		n += int64(k)
		sum = crc32.Update(sum, castagnoli, piece[:k])
		if err == io.EOF {
			break
		}
		if err != nil {
			return n, sum, err
		}
	}
	return n, sum, nil
}
