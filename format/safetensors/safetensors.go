// Package safetensors reads and writes Hugging Face safetensors files: one file, or several
// with an index. It knows no model.
//
//	┌─────────┬──────────────────┬───────────────────────────┐
//	│ n (u64) │ n bytes of JSON  │ tensor data, no gaps      │
//	└─────────┴──────────────────┴───────────────────────────┘
//	{"__metadata__":{"format":"pt"},
//	 "lm_head.weight":{"dtype":"BF16","shape":[8192,256],"data_offsets":[0,4194304]}, …}
//
// Offsets count from the end of the header; everything is little-endian. Every number of a
// header is checked against the size of the file before anything is allocated. Files are
// mapped, and their pages let go of as soon as they are converted; a file that shrinks while
// it is mapped is an error, not a crash.
//
//	set, err := safetensors.OpenDir("models/pebble")
//	info, ok := set.Info("lm_head.weight")
//	w := make([]float32, info.Elements())
//	err = set.ReadFloat32("lm_head.weight", w)
//
// The format: https://github.com/huggingface/safetensors (README, "Format").
package safetensors

// HeaderBytesMax is the longest header read: the reference implementation's limit.
const HeaderBytesMax = 100_000_000

// RankMax is the most dimensions of a tensor. Models use up to 4; a limit keeps a hostile
// header from making long error messages.
const RankMax = 16

// DType is the type of a tensor's elements, as the header spells it.
type DType string

// The types that can be read and written as numbers.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
)

// elementBytes holds every fixed-size type of the format, so that files that also carry
// integers (position ids, say) can be opened. Only F32, F16 and BF16 can be read.
var elementBytes = map[DType]int64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
	"I16": 2, "U16": 2, F16: 2, BF16: 2,
	"I32": 4, "U32": 4, F32: 4,
	"I64": 8, "U64": 8, "F64": 8, "C64": 8,
}

// Info describes one tensor of a file.
type Info struct {
	Name  string
	DType DType
	Shape []int // row-major
	begin int64 // of the data, from the end of the header
	end   int64
}

// Elements returns the product of the shape: 1 for a scalar.
func (i Info) Elements() int { return int(i.Bytes() / elementBytes[i.DType]) }

// Bytes returns the size of the tensor's data.
func (i Info) Bytes() int64 { return i.end - i.begin }
