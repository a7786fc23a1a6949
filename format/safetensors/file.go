package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// chunkBytes is how much of a tensor is in memory while it is converted.
const chunkBytes = 1 << 20

// File is an open safetensors file. Its methods may be called from several goroutines.
type File struct {
	header
	r      io.ReaderAt
	close  func() error
	byName map[string]int
}

// Open opens the file at path. It returns an error that names the file if its header is not
// right in every number.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	file, err := NewFile(f, st.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file.close = f.Close
	return file, nil
}

// NewFile reads a safetensors file of size bytes from r, which must stay readable while the
// File is used.
func NewFile(r io.ReaderAt, size int64) (*File, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	f := &File{header: *h, r: r, byName: make(map[string]int, len(h.tensors))}
	for i, t := range h.tensors {
		f.byName[t.Name] = i
	}
	return f, nil
}

// Close closes the file that Open opened.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
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
// number of elements. Every value is exact.
func (f *File) ReadFloat32(name string, dst []float32) error {
	return read(f, name, len(dst), func(at int, dtype DType, b []byte) {
		decodeFloat32(dst[at:], dtype, b)
	})
}

// ReadBF16 reads a whole tensor into dst as bfloat16 bits: BF16 as it is, F32 and F16
// rounded to nearest, ties to even. The length of dst must be its number of elements.
func ReadBF16[T ~uint16](from Reader, name string, dst []T) error {
	file, err := from.reader(name)
	if err != nil {
		return err
	}
	return read(file, name, len(dst), func(at int, dtype DType, b []byte) {
		if dtype == BF16 {
			for i := range len(b) / 2 {
				dst[at+i] = T(binary.LittleEndian.Uint16(b[2*i:]))
			}
			return
		}
		part := make([]float32, int64(len(b))/elementBytes[dtype])
		decodeFloat32(part, dtype, b)
		for i, x := range part {
			dst[at+i] = T(toBF16(x))
		}
	})
}

// Reader is a *File or a *Set.
type Reader interface {
	Info(name string) (Info, bool)
	ReadFloat32(name string, dst []float32) error
	reader(name string) (*File, error)
}

func (f *File) reader(string) (*File, error) { return f, nil }

// read hands the bytes of a tensor of n elements to use, chunk by chunk; at is the index
// of the chunk's first element.
func read(f *File, name string, n int, use func(at int, dtype DType, b []byte)) error {
	t, ok := f.Info(name)
	if !ok {
		return fmt.Errorf("there is no tensor %q", name)
	}
	if t.DType != F32 && t.DType != F16 && t.DType != BF16 {
		return fmt.Errorf("tensor %q is %s: only F32, F16 and BF16 can be read", name, t.DType)
	}
	if t.Elements() != n {
		return fmt.Errorf("tensor %q has %d elements, not %d (shape %v)", name, t.Elements(), n, t.Shape)
	}
	buf := make([]byte, min(t.Bytes(), chunkBytes))
	for off := int64(0); off < t.Bytes(); off += int64(len(buf)) {
		part := buf[:min(int64(len(buf)), t.Bytes()-off)]
		if _, err := f.r.ReadAt(part, f.dataStart+t.begin+off); err != nil {
			return fmt.Errorf("read tensor %q: %w", name, err)
		}
		use(int(off/elementBytes[t.DType]), t.DType, part)
	}
	return nil
}

func decodeFloat32(dst []float32, dtype DType, b []byte) {
	switch dtype {
	case F32:
		for i := range len(b) / 4 {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case BF16:
		for i := range len(b) / 2 {
			dst[i] = fromBF16(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case F16:
		for i := range len(b) / 2 {
			dst[i] = fromF16(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}
}
