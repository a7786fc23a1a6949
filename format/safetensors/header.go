package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

const metadataKey = "__metadata__"

// header is a checked header: tensors in the order of their data, without gaps.
type header struct {
	metadata  map[string]string
	tensors   []Info
	dataStart int64
}

// readHeader reads and checks the header of a file, given whole.
func readHeader(file []byte) (*header, error) {
	raw, err := rawHeader(file)
	if err != nil {
		return nil, err
	}
	h := &header{dataStart: 8 + int64(len(raw))}
	if err := h.parse(raw); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := h.checkLayout(int64(len(file)) - h.dataStart); err != nil {
		return nil, err
	}
	return h, nil
}

func rawHeader(file []byte) ([]byte, error) {
	if len(file) < 8 {
		return nil, fmt.Errorf("%d bytes are too few for a safetensors file", len(file))
	}
	n := binary.LittleEndian.Uint64(file)
	if n > HeaderBytesMax {
		return nil, fmt.Errorf("header of %d bytes is longer than %d", n, HeaderBytesMax)
	}
	if n > uint64(len(file)-8) {
		return nil, fmt.Errorf("header of %d bytes does not fit in a file of %d", n, len(file))
	}
	return file[8 : 8+n], nil
}

// parse walks the top-level object itself, because encoding/json would silently keep the
// last of two entries with the same name.
func (h *header) parse(raw []byte) error {
	if len(raw) == 0 || raw[0] != '{' {
		return fmt.Errorf("does not begin with {")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name := t.(string) // the decoder allows nothing else as a key
		if seen[name] {
			return fmt.Errorf("tensor %q occurs twice", name)
		}
		seen[name] = true
		if err := h.entry(d, name); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if rest := raw[d.InputOffset():]; strings.Trim(string(rest), " ") != "" {
		return fmt.Errorf("text after the closing brace")
	}
	return nil
}

func (h *header) entry(d *json.Decoder, name string) error {
	if name == metadataKey {
		if err := d.Decode(&h.metadata); err != nil {
			return fmt.Errorf("%s: %w", metadataKey, err)
		}
		return nil
	}
	var e struct {
		DType   DType    `json:"dtype"`
		Shape   []uint64 `json:"shape"`
		Offsets []uint64 `json:"data_offsets"`
	}
	if err := d.Decode(&e); err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	info, err := newInfo(name, e.DType, e.Shape, e.Offsets)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	h.tensors = append(h.tensors, info)
	return nil
}

func newInfo(name string, dtype DType, shape, offsets []uint64) (Info, error) {
	width, ok := elementBytes[dtype]
	switch {
	case !ok:
		return Info{}, fmt.Errorf("unknown dtype %q", dtype)
	case shape == nil:
		return Info{}, fmt.Errorf("no shape")
	case len(shape) > RankMax:
		return Info{}, fmt.Errorf("%d dimensions are more than %d", len(shape), RankMax)
	case len(offsets) != 2 || offsets[0] > offsets[1] || offsets[1] > math.MaxInt64:
		return Info{}, fmt.Errorf("data_offsets %v are not a range", offsets)
	}
	info := Info{Name: name, DType: dtype, Shape: make([]int, len(shape)),
		begin: int64(offsets[0]), end: int64(offsets[1])}
	bytes := uint64(width)
	for i, n := range shape {
		if n > math.MaxInt64 || n != 0 && bytes > math.MaxInt64/n {
			return Info{}, fmt.Errorf("shape %v overflows", shape)
		}
		bytes *= n
		info.Shape[i] = int(n)
	}
	if int64(bytes) != info.Bytes() {
		return Info{}, fmt.Errorf("shape %v of %s takes %d bytes, data_offsets %v hold %d",
			shape, dtype, bytes, offsets, info.Bytes())
	}
	return info, nil
}

// checkLayout sorts the tensors by offset and refuses overlaps, gaps and ranges outside the
// file. With it, no byte of the file belongs to two tensors or to none.
func (h *header) checkLayout(dataBytes int64) error {
	slices.SortFunc(h.tensors, func(a, b Info) int {
		if a.begin != b.begin {
			return compare(a.begin, b.begin)
		}
		if a.end != b.end {
			return compare(a.end, b.end)
		}
		return strings.Compare(a.Name, b.Name)
	})
	at := int64(0)
	for _, t := range h.tensors {
		if t.end > dataBytes {
			return fmt.Errorf("tensor %q ends at byte %d of %d: the file is cut short", t.Name, t.end, dataBytes)
		}
		if t.begin < at {
			return fmt.Errorf("tensor %q overlaps the one before it", t.Name)
		}
		if t.begin > at {
			return fmt.Errorf("%d bytes before tensor %q belong to no tensor", t.begin-at, t.Name)
		}
		at = t.end
	}
	if at != dataBytes {
		return fmt.Errorf("%d bytes at the end belong to no tensor", dataBytes-at)
	}
	return nil
}

func compare(a, b int64) int {
	if a < b {
		return -1
	}
	return 1
}
