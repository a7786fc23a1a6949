package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"outcrop.dev/outcrop/format/internal/floats"
)

// chunkBytes is how much of a tensor is mapped while it is converted: enough for one call to
// the kernel to be worth it, and still in the second-level cache when it is read.
const chunkBytes = 1 << 20

// File is an open safetensors file. Its methods may be called from several goroutines, but
// not after Close.
type File struct {
	header
	data   mapping // the whole file; nil after Close
	mapped bool    // data is ours to unmap
	byName map[string]int
}

// Open maps the file at path. It returns an error that names the file if its header is not
// right in every number.
func Open(path string) (*File, error) {
	data, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	f, err := NewFile(data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), data.unmap())
	}
	f.mapped = true
	return f, nil
}

// NewFile returns the safetensors file whose bytes b are; b must not change while it is used.
func NewFile(b []byte) (*File, error) {
	var h *header
	var err error
	if fault := mapping(b).guard(func() { h, err = readHeader(b) }); fault != nil {
		return nil, fault
	}
	if err != nil {
		return nil, err
	}
	f := &File{header: *h, data: b, byName: make(map[string]int, len(h.tensors))}
	for i, t := range h.tensors {
		f.byName[t.Name] = i
	}
	return f, nil
}

// Close unmaps the file that Open opened.
func (f *File) Close() error {
	data := f.data
	f.data = nil
	if !f.mapped {
		return nil
	}
	return data.unmap()
}

// Metadata returns the strings that the file carries beside its tensors; nil if none.
func (f *File) Metadata() map[string]string { return f.metadata }

// Tensors returns what is in the file, in the order of the data.
func (f *File) Tensors() []Info { return slices.Clone(f.tensors) }

// Info describes the tensor of that name; ok is false if there is none.
func (f *File) Info(name string) (info Info, ok bool) {
	i, ok := f.byName[name]
	if !ok {
		return Info{}, false
	}
	return f.tensors[i], true
}

// ReadFloat32 reads a whole F32, F16 or BF16 tensor into dst, whose length must be its
// number of elements. Every value is exact. It reads at the speed of memory.
func (f *File) ReadFloat32(name string, dst []float32) error {
	t, err := f.whole(name, len(dst))
	if err != nil {
		return err
	}
	return f.decode(t, 0, dst)
}

// ReadFloat32At reads the elements first, first+1, … of a tensor, as many as dst has room for.
func (f *File) ReadFloat32At(name string, first int, dst []float32) error {
	t, err := f.readable(name)
	if err != nil {
		return err
	}
	if first < 0 || len(dst) > t.Elements() || first > t.Elements()-len(dst) {
		return fmt.Errorf("tensor %q has %d elements: there are no %d from %d on", name, t.Elements(), len(dst), first)
	}
	return f.decode(t, first, dst)
}

func (f *File) decode(t Info, first int, dst []float32) error {
	decode, width := decoders[t.DType], int(elementBytes[t.DType])
	return f.each(t, first, len(dst), func(at int, b []byte) { decode(dst[at:at+len(b)/width], b) })
}

// ReadBF16 reads a whole tensor into dst as bfloat16 bits: BF16 as it is, F32 and F16
// rounded to nearest, ties to even. The length of dst must be its number of elements.
func ReadBF16[T ~uint16](from Reader, name string, dst []T) error {
	f, err := from.reader(name)
	if err != nil {
		return err
	}
	t, err := f.whole(name, len(dst))
	if err != nil {
		return err
	}
	decode, width := decoders[t.DType], int(elementBytes[t.DType])
	return f.each(t, 0, len(dst), func(at int, b []byte) {
		if t.DType == BF16 {
			copyBits(dst[at:], b)
			return
		}
		values := make([]float32, len(b)/width)
		decode(values, b)
		for i, x := range values {
			dst[at+i] = T(floats.ToBF16(x))
		}
	})
}

// copyBits copies 16-bit elements as they are.
func copyBits[T ~uint16](dst []T, b []byte) {
	for i := range len(b) / 2 {
		dst[i] = T(binary.LittleEndian.Uint16(b[2*i:]))
	}
}

// Reader is a *File or a *Set.
type Reader interface {
	Info(name string) (Info, bool)
	ReadFloat32(name string, dst []float32) error
	ReadFloat32At(name string, first int, dst []float32) error
	reader(name string) (*File, error)
}

func (f *File) reader(string) (*File, error) { return f, nil }

// readable returns the tensor of that name if it holds numbers of a kind that can be read.
func (f *File) readable(name string) (Info, error) {
	t, ok := f.Info(name)
	switch {
	case !ok:
		return t, fmt.Errorf("there is no tensor %q", name)
	case decoders[t.DType] == nil:
		return t, fmt.Errorf("tensor %q is %s: only F32, F16 and BF16 can be read", name, t.DType)
	case f.data == nil:
		return t, fmt.Errorf("tensor %q: the file is closed", name)
	}
	return t, nil
}

func (f *File) whole(name string, n int) (Info, error) {
	t, err := f.readable(name)
	if err == nil && t.Elements() != n {
		err = fmt.Errorf("tensor %q has %d elements, not %d (shape %v)", name, t.Elements(), n, t.Shape)
	}
	return t, err
}

// parallelBytes is the size from which a tensor is read by several threads: starting them
// costs what some ten kilobytes do.
const parallelBytes = 4 * chunkBytes

// each hands the bytes of n elements of t from first on to use, chunk by chunk, in no order
// and from several goroutines if there are many; at counts from first.
func (f *File) each(t Info, first, n int, use func(at int, b []byte)) error {
	width := int(elementBytes[t.DType])
	from := int(f.dataStart+t.begin) + first*width
	all := f.data[from : from+n*width]
	var next atomic.Int64
	work := func() error {
		return f.data.guard(func() {
			for off := int(next.Add(chunkBytes)) - chunkBytes; off < len(all); off = int(next.Add(chunkBytes)) - chunkBytes {
				f.chunk(all[off:min(off+chunkBytes, len(all))], off/width, use)
			}
		})
	}
	var others sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for i := 1; i < len(errs) && len(all) >= parallelBytes; i++ {
		others.Go(func() { errs[i] = work() })
	}
	errs[0] = work()
	others.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("read tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

func (f *File) chunk(part []byte, at int, use func(at int, b []byte)) {
	if f.mapped {
		f.data.drawn(part)
		defer f.data.dropped(part)
	}
	use(at, part)
}
