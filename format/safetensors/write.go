package safetensors

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"outcrop.dev/outcrop/format/internal/floats"
	"outcrop.dev/outcrop/internal/durable"
)

// Tensor is a tensor to write: float32 values, stored as DType says.
type Tensor struct {
	Name  string
	DType DType // F32, or F16 or BF16: rounded to nearest, ties to even
	Shape []int // row-major
	Data  []float32
}

// WriteFile writes the tensors to path durably: a crash leaves the old file or the new one.
func WriteFile(path string, tensors []Tensor) error {
	return durable.WriteFile(path, 0o644, func(w io.Writer) error { return Write(w, tensors) })
}

// Write writes the tensors with the metadata {"format":"pt"}, which Hugging Face's loader
// requires. Same tensors, same bytes: their order is wider types first (so that all data
// are aligned), then by name. It returns an error for a tensor whose shape does not fit its
// data, whose dtype cannot be written, or whose name occurs twice or is reserved.
func Write(w io.Writer, tensors []Tensor) error {
	sorted := slices.Clone(tensors)
	slices.SortStableFunc(sorted, func(a, b Tensor) int {
		if d := elementBytes[b.DType] - elementBytes[a.DType]; d != 0 {
			return int(d)
		}
		return strings.Compare(a.Name, b.Name)
	})
	head, err := encodeHeader(sorted)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, chunkBytes)
	b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(head))))
	b.Write(head)
	for _, t := range sorted {
		writeData(b, t)
	}
	return b.Flush() // reports the first failed write
}

func encodeHeader(tensors []Tensor) ([]byte, error) {
	head := []byte(`{"` + metadataKey + `":{"format":"pt"}`)
	seen := map[string]bool{metadataKey: true}
	at := int64(0)
	for _, t := range tensors {
		if err := checkTensor(t); err != nil {
			return nil, err
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor name %q is taken", t.Name)
		}
		seen[t.Name] = true
		end := at + int64(len(t.Data))*elementBytes[t.DType]
		entry, err := json.Marshal(struct {
			DType   DType    `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{t.DType, append([]int{}, t.Shape...), [2]int64{at, end}})
		if err != nil {
			return nil, err
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		head = append(append(append(append(head, ','), name...), ':'), entry...)
		at = end
	}
	head = append(head, '}')
	for len(head)%8 != 0 { // the data begin aligned
		head = append(head, ' ')
	}
	return head, nil
}

func checkTensor(t Tensor) error {
	if encoders[t.DType] == nil {
		return fmt.Errorf("tensor %q: dtype %q cannot be written: use F32, F16 or BF16", t.Name, t.DType)
	}
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	if n != len(t.Data) || len(t.Shape) > RankMax {
		return fmt.Errorf("tensor %q: shape %v does not fit %d values", t.Name, t.Shape, len(t.Data))
	}
	return nil
}

// writeData leaves errors to the bufio.Writer, which keeps the first.
func writeData(w *bufio.Writer, t Tensor) {
	if t.DType == F32 && floats.LittleEndian {
		w.Write(floats.Bytes(t.Data))
		return
	}
	width := int(elementBytes[t.DType])
	encode := encoders[t.DType]
	for x := t.Data; len(x) > 0; {
		if w.Available() < width && w.Flush() != nil {
			return
		}
		buf := w.AvailableBuffer()
		n := min(len(x), cap(buf)/width)
		encode(buf[:n*width], x[:n])
		w.Write(buf[:n*width])
		x = x[n:]
	}
}

// encoders and decoders are the types that can be written and read as numbers.
var (
	encoders = map[DType]func([]byte, []float32){F32: floats.EncodeF32, F16: floats.EncodeF16, BF16: floats.EncodeBF16}
	decoders = map[DType]func([]float32, []byte){F32: floats.DecodeF32, F16: floats.DecodeF16, BF16: floats.DecodeBF16}
)
