package gguf

import (
	"encoding/binary"
	"fmt"
	"math"

	"outcrop.dev/outcrop/format/internal/floats"
)

// Info describes one tensor of a file.
type Info struct {
	Name  string
	Type  Type
	Shape []int // outermost first
	at    int   // of the data, from their beginning
}

// File is a parsed file.
type File struct {
	Fields  []Field // in their order
	Tensors []Info
	data    []byte
}

// Parse reads a whole file, which is kept. It refuses everything that Write would not have
// written: other versions, unknown types, names that occur twice, tensors that overlap, leave
// gaps or are not whole, padding that is not zero, and bytes at the end. Every length is
// checked before there is memory for it.
func Parse(b []byte) (*File, error) {
	c := &cursor{b: b}
	f := &File{}
	if string(c.take(len(magic))) != magic {
		c.fail("it does not begin with %s", magic)
	}
	if v := c.u32(); v != version {
		c.fail("version %d is not %d", v, version)
	}
	tensors, fields := c.u64(), c.u64()
	if tensors > TensorsMax || fields > FieldsMax {
		c.fail("%d tensors and %d fields are more than %d and %d", tensors, fields, TensorsMax, FieldsMax)
	}
	f.readFields(c, fields)
	f.readInfos(c, tensors)
	c.pad(len(b) - len(c.b))
	if c.err == nil {
		f.data = c.b
		f.checkLayout(c)
	}
	if c.err != nil {
		return nil, fmt.Errorf("GGUF: %w", c.err)
	}
	return f, nil
}

func (f *File) readFields(c *cursor, n uint64) {
	seen := map[string]bool{}
	for i := uint64(0); i < n && c.err == nil; i++ {
		key := c.string(StringMax)
		if key == "" || seen[key] {
			c.fail("field %q is empty or occurs twice", key)
		}
		seen[key] = true
		f.Fields = append(f.Fields, Field{key, c.value(kind(c.u32()))})
	}
}

func (f *File) readInfos(c *cursor, n uint64) {
	seen := map[string]bool{}
	for i := uint64(0); i < n && c.err == nil; i++ {
		info := c.info()
		if seen[info.Name] {
			c.fail("tensor %q occurs twice", info.Name)
		}
		seen[info.Name] = true
		f.Tensors = append(f.Tensors, info)
	}
}

func (c *cursor) info() Info {
	info := Info{Name: c.string(TensorNameMax)}
	rank := c.u32()
	if rank < 1 || rank > RankMax {
		c.fail("tensor %q has %d dimensions", info.Name, rank)
		return info
	}
	info.Shape = make([]int, rank)
	elements := uint64(1)
	for i := range info.Shape {
		d := c.u64()
		if d < 1 || d > math.MaxInt32 || elements > math.MaxInt64/4/d {
			c.fail("tensor %q: dimension %d is out of range", info.Name, d)
			return info
		}
		elements *= d
		info.Shape[int(rank)-1-i] = int(d)
	}
	info.Type = Type(c.u32())
	if at := c.u64(); at <= math.MaxInt64 {
		info.at = int(at)
	}
	t := Tensor{Name: info.Name, Type: info.Type, Shape: info.Shape}
	if err := t.check(); err != nil {
		c.fail("tensor %q: %w", info.Name, err)
	}
	return info
}

// checkLayout wants the tensors one after another, each padded with zeros, to the end.
func (f *File) checkLayout(c *cursor) {
	for _, t := range f.Tensors {
		n := (&Tensor{Type: t.Type, Shape: t.Shape}).bytes()
		if t.at != len(f.data)-len(c.b) {
			c.fail("tensor %q begins at byte %d, not where the one before it ends", t.Name, t.at)
			return
		}
		c.take(n)
		c.pad(n)
	}
	if len(c.b) > 0 {
		c.fail("%d bytes at the end belong to no tensor", len(c.b))
	}
}

// Value returns the value of a field; ok is false if there is none.
func (f *File) Value(key string) (v any, ok bool) {
	for _, field := range f.Fields {
		if field.Key == key {
			return field.Value, true
		}
	}
	return nil, false
}

// Float32 returns the values of a tensor; ok is false if there is none of that name.
func (f *File) Float32(name string) (x []float32, ok bool) {
	for _, t := range f.Tensors {
		if t.Name != name {
			continue
		}
		s := Tensor{Type: t.Type, Shape: t.Shape}
		columns, rows := s.rows()
		x, b := make([]float32, rows*columns), f.data[t.at:t.at+s.bytes()]
		switch t.Type {
		case F32:
			floats.DecodeF32(x, b)
		case F16:
			floats.DecodeF16(x, b)
		case BF16:
			floats.DecodeBF16(x, b)
		case Q8_0:
			decodeQ8(x, b)
		}
		return x, true
	}
	return nil, false
}

// cursor reads from the front of b until the first error; then it returns zeros.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
	c.b = nil
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail("the file is cut short")
		return make([]byte, min(max(n, 0), 8))
	}
	part := c.b[:n]
	c.b = c.b[n:]
	return part
}

// pad takes the zeros that follow n bytes.
func (c *cursor) pad(n int) {
	for _, x := range c.take(padded(n) - n) {
		if x != 0 {
			c.fail("padding is not zero")
		}
	}
}

func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.take(8)) }

func (c *cursor) bool() bool {
	x := c.take(1)[0]
	if x > 1 {
		c.fail("%d is not a truth value", x)
	}
	return x == 1
}

func (c *cursor) string(most int) string {
	n := c.u64()
	if n > uint64(most) {
		c.fail("a string of %d bytes is longer than %d", n, most)
		return ""
	}
	return string(c.take(int(n)))
}
