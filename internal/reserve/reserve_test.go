package reserve

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func sizeOf(t *testing.T, dir string) (size, onDisk int64) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, File))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size(), info.Sys().(*syscall.Stat_t).Blocks * 512
}

func open(t *testing.T, dir string) *Reserve {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// What a deletion needs is given up slice by slice, all of it if need be, and taken again.
func TestSpend(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	if size, onDisk := sizeOf(t, dir); size != Size || onDisk < Size {
		t.Fatalf("%d bytes are kept, %d on the disk", size, onDisk)
	}
	for _, needs := range []int{0, 1, 3, Size / slice} {
		calls := 0
		err := r.Spend(func() error {
			if calls++; calls <= needs {
				return fmt.Errorf("write: %w", syscall.ENOSPC)
			}
			if size, _ := sizeOf(t, dir); size != Size-int64(needs)*slice {
				t.Errorf("%d bytes are kept after %d slices", size, needs)
			}
			return nil
		})
		if err != nil || calls != needs+1 {
			t.Errorf("%d slices: %d calls, %v", needs, calls, err)
		}
		if size, onDisk := sizeOf(t, dir); size != Size || onDisk < Size {
			t.Errorf("%d bytes are taken again, %d on the disk", size, onDisk)
		}
	}
	if err := r.Spend(func() error { return syscall.EDQUOT }); !errors.Is(err, syscall.EDQUOT) {
		t.Errorf("one slice more than there are: %v", err)
	}
	if err := r.Spend(func() error { return syscall.EIO }); !errors.Is(err, syscall.EIO) {
		t.Errorf("another error: %v", err)
	}
}

// Nothing is written as long as some of the reserve is missing and cannot be taken again.
func TestCheck(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	if err := errors.Join(r.Check(), r.Full()); err != nil {
		t.Fatal(err)
	}
	r.giveUp()
	if err := r.f.Close(); err != nil { // so that nothing can be taken
		t.Fatal(err)
	}
	err := r.Check()
	var full *Error
	if !errors.As(err, &full) || !IsFull(err) || full.Held != Size-slice || !strings.Contains(full.Error(), "16.7 MB are kept back") {
		t.Errorf("%v", err)
	}
}

// A copy with holes, and one that is too large, become whole.
func TestOpenMakesWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{0, slice / 2, Size, Size + 1} {
		dir := t.TempDir()
		f, err := os.Create(filepath.Join(dir, File))
		if err == nil {
			err = errors.Join(f.Truncate(size), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		open(t, dir)
		if size, onDisk := sizeOf(t, dir); size != Size || onDisk < Size {
			t.Errorf("%d bytes are kept, %d on the disk", size, onDisk)
		}
	}
}

func TestNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := None(dir)
	if err := errors.Join(r.Check(), r.Full(), r.Close()); err != nil {
		t.Error(err)
	}
	calls := 0
	if err := r.Spend(func() error { calls++; return syscall.ENOSPC }); !IsFull(err) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if _, err := os.Stat(filepath.Join(dir, File)); err == nil {
		t.Error("it has made a file")
	}
	if err := r.Explain(syscall.EIO); err != syscall.EIO {
		t.Errorf("%v", err)
	}
}
