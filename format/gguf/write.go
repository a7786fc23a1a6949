package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"outcrop.dev/outcrop/format/internal/floats"
	"outcrop.dev/outcrop/internal/durable"
)

// WriteFile writes a file durably: a crash leaves the old one or the new one, whole.
func WriteFile(path string, fields []Field, tensors []Tensor) error {
	return durable.WriteFile(path, 0o644, func(w io.Writer) error { return Write(w, fields, tensors) })
}

// Write writes the fields and the tensors, in their order. It returns an error for a name
// that occurs twice or is too long, a shape that the type does not allow, and what Rows
// returns.
func Write(w io.Writer, fields []Field, tensors []Tensor) error {
	head, err := header(fields, tensors)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<20)
	b.Write(head)
	for i := range tensors {
		if err := writeTensor(b, &tensors[i]); err != nil {
			return fmt.Errorf("tensor %q: %w", tensors[i].Name, err)
		}
	}
	return b.Flush() // reports the first failed write
}

func header(fields []Field, tensors []Tensor) ([]byte, error) {
	if len(fields) > FieldsMax || len(tensors) > TensorsMax {
		return nil, fmt.Errorf("%d fields and %d tensors are more than %d and %d", len(fields), len(tensors), FieldsMax, TensorsMax)
	}
	b := appendU32([]byte(magic), version)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(tensors)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(fields)))
	seen := map[string]bool{}
	for _, f := range fields {
		if f.Key == "" || seen[f.Key] {
			return nil, fmt.Errorf("field %q is empty or occurs twice", f.Key)
		}
		seen[f.Key] = true
		var err error
		if b, err = appendField(b, f); err != nil {
			return nil, err
		}
	}
	at := 0
	clear(seen)
	for i := range tensors {
		t := &tensors[i]
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q occurs twice", t.Name)
		}
		seen[t.Name] = true
		b = appendInfo(b, t, at)
		at += padded(t.bytes())
	}
	return append(b, make([]byte, padded(len(b))-len(b))...), nil
}

func (t *Tensor) check() error {
	if t.Name == "" || len(t.Name) > TensorNameMax {
		return fmt.Errorf("the name must have 1 to %d bytes", TensorNameMax)
	}
	if _, known := typeNames[t.Type]; !known {
		return fmt.Errorf("%s cannot be written", t.Type)
	}
	if len(t.Shape) < 1 || len(t.Shape) > RankMax {
		return fmt.Errorf("shape %v: there must be 1 to %d dimensions", t.Shape, RankMax)
	}
	for _, d := range t.Shape {
		if d < 1 {
			return fmt.Errorf("shape %v: dimensions must be positive", t.Shape)
		}
	}
	if columns, _ := t.rows(); !t.Type.Fits(columns) {
		return fmt.Errorf("rows of %d elements cannot be %s: its blocks have %d", columns, t.Type, q8Block)
	}
	return nil
}

func appendInfo(b []byte, t *Tensor, at int) []byte {
	b = appendU32(appendString(b, t.Name), uint32(len(t.Shape)))
	for i := len(t.Shape) - 1; i >= 0; i-- {
		b = binary.LittleEndian.AppendUint64(b, uint64(t.Shape[i]))
	}
	return binary.LittleEndian.AppendUint64(appendU32(b, uint32(t.Type)), uint64(at))
}

// batchElements is about how many elements are in memory at once while a tensor is written.
const batchElements = 1 << 20

// writeTensor ends at the first failed write: what is left may be gigabytes to read.
func writeTensor(w *bufio.Writer, t *Tensor) error {
	columns, rows := t.rows()
	step := min(max(1, batchElements/columns), rows)
	values := make([]float32, step*columns)
	encoded := make([]byte, step*t.Type.bytes(columns))
	for at := 0; at < rows; at += step {
		n := min(step, rows-at)
		if err := t.Rows(values[:n*columns], at); err != nil {
			return err
		}
		b := encoded[:n*t.Type.bytes(columns)]
		encode(b, t.Type, values[:n*columns])
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	_, err := w.Write(make([]byte, padded(t.bytes())-t.bytes()))
	return err
}

func encode(b []byte, t Type, x []float32) {
	switch t {
	case F32:
		floats.EncodeF32(b, x)
	case F16:
		floats.EncodeF16(b, x)
	case BF16:
		floats.EncodeBF16(b, x)
	case Q8_0:
		encodeQ8(b, x)
	}
}
