// Package gguf writes GGUF files, the format of llama.cpp, and reads them back strictly. It
// knows no model: which keys and tensor names a family has is package export's business.
//
//	┌──────┬─────────┬─────────┬────────┬────────┬──────────────┬─────┬─────────────┐
//	│ GGUF │ version │ tensors │ fields │ fields │ tensor infos │ pad │ tensor data │
//	│      │ u32 = 3 │ u64     │ u64    │ …      │ …            │     │ each padded │
//	└──────┴─────────┴─────────┴────────┴────────┴──────────────┴─────┴─────────────┘
//	field: key, type u32, value       info: name, rank u32, dimensions u64…, type u32, offset u64
//	string: length u64, bytes         array: type u32, length u64, values
//
// All little-endian; dimensions innermost first; padding to 32 bytes.
//
//	err := gguf.WriteFile("notes.gguf", []gguf.Field{{"general.architecture", "llama"}, …}, tensors)
//	f, err := gguf.Parse(bytes)
//
// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
package gguf

import "fmt"

const (
	magic   = "GGUF"
	version = 3
	// alignment is general.alignment's default, which this package always uses.
	alignment = 32
)

// Limits of what is read and written: those of ggml (GGML_MAX_NAME, GGML_MAX_DIMS), and room
// for vocabularies and chat templates of any size that is in use.
const (
	TensorNameMax = 63 // bytes
	RankMax       = 4
	StringMax     = 16 << 20 // bytes
	ArrayMax      = 4 << 20  // values
	FieldsMax     = 10_000
	TensorsMax    = 100_000
)

// Type is the type of a tensor's elements, by ggml's number.
type Type uint32

// The types that are written.
const (
	F32  Type = 0
	F16  Type = 1
	Q8_0 Type = 8 // blocks of 32: a half scale and 32 int8
	BF16 Type = 30
)

// q8Block is the number of elements of a Q8_0 block, and q8Bytes its size.
const (
	q8Block = 32
	q8Bytes = 2 + q8Block
)

var typeNames = map[Type]string{F32: "f32", F16: "f16", Q8_0: "q8_0", BF16: "bf16"}

// String returns the name that llama.cpp's tools use: f32, f16, bf16, q8_0.
func (t Type) String() string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// ParseType returns the type of that name; ok is false if there is none.
func ParseType(name string) (t Type, ok bool) {
	for t, n := range typeNames {
		if n == name {
			return t, true
		}
	}
	return 0, false
}

// Fits reports whether rows of n elements can be of type t: those of Q8_0 are whole blocks.
func (t Type) Fits(n int) bool { return t != Q8_0 || n%q8Block == 0 }

// bytes returns the size of n elements, which fit.
func (t Type) bytes(n int) int {
	switch t {
	case F32:
		return 4 * n
	case Q8_0:
		return n / q8Block * q8Bytes
	}
	return 2 * n
}

// Field is one key of the metadata. Its value is a uint32, int32, float32, bool, string or
// uint64, or a slice of uint32, int32, float32, bool or string.
type Field struct {
	Key   string
	Value any
}

// Tensor is a tensor to write. Its data are asked for row by row, so that a model need not
// be in memory as a whole.
type Tensor struct {
	Name  string // at most TensorNameMax bytes
	Type  Type
	Shape []int // row-major, outermost first, 1 to RankMax dimensions; a row is the last one
	// Rows fills dst with the elements of whole rows, from row first on.
	Rows func(dst []float32, first int) error
}

// row returns the number of elements of a row, and of rows.
func (t *Tensor) rows() (columns, rows int) {
	columns, rows = t.Shape[len(t.Shape)-1], 1
	for _, d := range t.Shape[:len(t.Shape)-1] {
		rows *= d
	}
	return columns, rows
}

func (t *Tensor) bytes() int {
	columns, rows := t.rows()
	return rows * t.Type.bytes(columns)
}

func padded(n int) int { return (n + alignment - 1) / alignment * alignment }
