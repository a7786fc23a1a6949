package safetensors

import (
	"fmt"
	"os"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/internal/durable"
)

// mapping is a file's bytes in memory, read by the kernel as they are touched.
type mapping []byte

// mapFile maps the file at path for reading. The mapping outlives the descriptor, and a file
// that is replaced by rename while it is mapped stays as it was.
func mapFile(path string) (mapping, error) {
	f, err := durable.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, nil // which no kernel maps
	}
	if info.Size() != int64(int(info.Size())) {
		return nil, fmt.Errorf("%s: %d bytes are more than this machine can map", path, info.Size())
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return b, nil
}

func (m mapping) unmap() error {
	if m == nil {
		return nil
	}
	return unix.Munmap(m)
}

// addressedError is the runtime's error for a bad address (debug.SetPanicOnFault).
type addressedError interface {
	error
	Addr() uintptr
}

// guard runs use, which reads the mapping. A page that cannot be had any more, because the
// file has been cut short or its disk fails, is a SIGBUS: it becomes an error here.
func (m mapping) guard(use func()) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		r := recover()
		if r == nil {
			return
		}
		fault, ok := r.(addressedError)
		if !ok || !m.holds(fault.Addr()) {
			panic(r) // a bug of ours
		}
		err = fmt.Errorf("the file has been cut short while it was open, or its disk fails")
	}()
	use()
	return nil
}

// drawn brings the pages under part, a slice of the mapping, into memory at once, which is
// cheaper than a fault for each. A kernel before 5.14 cannot; then they come one by one.
func (m mapping) drawn(part []byte) {
	if p := m.pages(part); len(p) > 0 {
		_ = unix.Madvise(p, unix.MADV_POPULATE_READ)
	}
}

// dropped takes the pages under part out of the process: the page cache keeps them, and a
// model that has been read does not count twice.
func (m mapping) dropped(part []byte) {
	if p := m.pages(part); len(p) > 0 {
		_ = unix.Madvise(p, unix.MADV_DONTNEED)
	}
}

// pages returns the whole pages of the mapping that part lies on; nil if part is not within.
func (m mapping) pages(part []byte) []byte {
	if len(part) == 0 || !m.holds(address(part)) {
		return nil
	}
	page := os.Getpagesize()
	from := int(address(part) - address(m))
	to := min((from+len(part)+page-1)/page*page, len(m))
	return m[from/page*page : to]
}

func (m mapping) holds(a uintptr) bool {
	return len(m) > 0 && a >= address(m) && a-address(m) < uintptr(len(m))
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
