package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/format/internal/floats"
)

// layOut returns a file of a header and data, right or wrong.
func layOut(header string, dataBytes int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, dataBytes)...)
}

func open(b []byte) (*File, error) { return NewFile(b) }

func mustWrite(t *testing.T, tensors ...Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sample() []Tensor {
	return []Tensor{
		{"b", BF16, []int{2, 3}, []float32{1, -2, 3.5, 0, float32(math.Inf(1)), 1 << 20}},
		{"a", BF16, []int{1}, []float32{0.5}},
		{"scalar", F32, nil, []float32{math.Pi}},
		{"half", F16, []int{2}, []float32{-0.25, 65504}},
		{"empty", F32, []int{0, 7}, nil},
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	f, err := open(mustWrite(t, sample()...))
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(f.Metadata(), map[string]string{"format": "pt"}) {
		t.Errorf("metadata %v", f.Metadata())
	}
	for _, want := range sample() {
		info, ok := f.Info(want.Name)
		if !ok || info.DType != want.DType || !slices.Equal(info.Shape, want.Shape) {
			t.Errorf("%s: info %+v, %v", want.Name, info, ok)
		}
		got := make([]float32, info.Elements())
		if err := f.ReadFloat32(want.Name, got); err != nil || !slices.Equal(got, want.Data) {
			t.Errorf("%s: read %v, %v; want %v", want.Name, got, err, want.Data)
		}
	}
	half := make([]uint16, 1)
	if err := ReadBF16(f, "scalar", half); err != nil || half[0] != floats.ToBF16(math.Pi) {
		t.Errorf("ReadBF16 of float32: %x, %v", half, err)
	}
}

func TestWriteIsDeterministic(t *testing.T) {
	t.Parallel()
	a := sample()
	b := sample()
	slices.Reverse(b)
	if !bytes.Equal(mustWrite(t, a...), mustWrite(t, b...)) {
		t.Error("the order of the arguments changed the bytes")
	}
}

func TestReadLongTensorInChunks(t *testing.T) {
	t.Parallel()
	data := make([]float32, chunkBytes/4*2+1)
	for i := range data {
		data[i] = float32(i % 251)
	}
	f, err := open(mustWrite(t, Tensor{"x", BF16, []int{len(data)}, data}))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(data))
	if err := f.ReadFloat32("x", got); err != nil || !slices.Equal(got, data) {
		t.Errorf("values differ, %v", err)
	}
	bits := make([]uint16, len(data))
	if err := ReadBF16(f, "x", bits); err != nil || floats.FromBF16(bits[len(bits)-1]) != data[len(data)-1] {
		t.Errorf("last value differs, %v", err)
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	f, err := open(layOut(`{"ids":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}}`, 16))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ids": `"ids" is I64`, "other": `no tensor "other"`} {
		if err := f.ReadFloat32(name, make([]float32, 2)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	g, err := open(mustWrite(t, sample()...))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.ReadFloat32("b", make([]float32, 5)); err == nil || !strings.Contains(err.Error(), "6 elements, not 5") {
		t.Errorf("wrong length: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	entry := func(dtype, shape, offsets string) string {
		return `{"x":{"dtype":"` + dtype + `","shape":` + shape + `,"data_offsets":` + offsets + `}}`
	}
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "too few"},
		{"seven bytes", make([]byte, 7), "too few"},
		{"header past the end", layOut("{}", 0)[:9], "does not fit"},
		{"header of 2^63", append(binary.LittleEndian.AppendUint64(nil, 1<<63), "{}"...), "longer than"},
		{"header at the limit", binary.LittleEndian.AppendUint64(nil, HeaderBytesMax), "does not fit"},
		{"header over the limit", binary.LittleEndian.AppendUint64(nil, HeaderBytesMax+1), "longer than"},
		{"no header", layOut("", 0), "begin with {"},
		{"array", layOut("[]", 0), "begin with {"},
		{"cut JSON", layOut(`{"x":`, 0), "header"},
		{"text after", layOut(`{} x`, 0), "after the closing brace"},
		{"unknown dtype", layOut(entry("Q4", "[2]", "[0,1]"), 1), `unknown dtype "Q4"`},
		{"no shape", layOut(`{"x":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "no shape"},
		{"negative dimension", layOut(entry("F32", "[-1]", "[0,4]"), 4), "tensor \"x\""},
		{"overflow", layOut(entry("F32", "[4611686018427387904,4]", "[0,0]"), 0), "overflows"},
		{"overflow behind zero", layOut(entry("F32", "[0,18446744073709551615]", "[0,0]"), 0), "overflows"},
		{"shape and offsets disagree", layOut(entry("F32", "[2]", "[0,4]"), 4), "takes 8 bytes"},
		{"offsets backwards", layOut(entry("F32", "[1]", "[4,0]"), 4), "not a range"},
		{"one offset", layOut(entry("F32", "[1]", "[4]"), 4), "not a range"},
		{"cut data", layOut(entry("F32", "[2]", "[0,8]"), 7), "cut short"},
		{"spare data", layOut(entry("F32", "[2]", "[0,8]"), 9), "belong to no tensor"},
		{"gap", layOut(entry("F32", "[1]", "[4,8]"), 8), "belong to no tensor"},
		{"too many dimensions", layOut(entry("U8", "[1"+strings.Repeat(",1", RankMax)+"]", "[0,1]"), 1), "dimensions"},
		{"same name twice", layOut(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "occurs twice"},
		{"overlap", layOut(`{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), "overlaps"},
		{"metadata not strings", layOut(`{"__metadata__":{"a":1}}`, 0), "__metadata__"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := open(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if _, err := open(layOut(entry("U8", "[1"+strings.Repeat(",1", RankMax-1)+"]", "[0,1]"), 1)); err != nil {
		t.Errorf("at the rank limit: %v", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for want, tensors := range map[string][]Tensor{
		"does not fit":      {{"x", F32, []int{3}, make([]float32, 2)}},
		"cannot be written": {{"x", "I64", []int{2}, make([]float32, 2)}},
		"is taken":          {{"x", F32, nil, []float32{1}}, {"x", F16, nil, []float32{1}}},
		`"__metadata__"`:    {{metadataKey, F32, nil, []float32{1}}},
	} {
		if err := Write(&bytes.Buffer{}, tensors); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestOpenDirSharded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, tensors ...Tensor) {
		if err := WriteFile(filepath.Join(dir, name), tensors); err != nil {
			t.Fatal(err)
		}
	}
	index := func(json string) {
		if err := os.WriteFile(filepath.Join(dir, IndexFile), []byte(json), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenDir(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
	write("s1.safetensors", Tensor{"a", F32, []int{1}, []float32{1}})
	write("s2.safetensors", Tensor{"b", F32, []int{1}, []float32{2}}, Tensor{"c", F32, []int{1}, []float32{3}})
	index(`{"metadata":{"total_size":12},"weight_map":{"a":"s1.safetensors","b":"s2.safetensors","c":"s2.safetensors"}}`)
	s, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Names(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("names %v", got)
	}
	if got, err := Files(dir); err != nil || !slices.Equal(got, []string{IndexFile, "s1.safetensors", "s2.safetensors"}) {
		t.Errorf("files %q, %v", got, err)
	}
	x := make([]float32, 1)
	if err := s.ReadFloat32("c", x); err != nil || x[0] != 3 {
		t.Errorf("c is %v, %v", x, err)
	}
	for bad, want := range map[string]string{
		`{"weight_map":{"a":"../s1.safetensors"}}`:                           "not a file name",
		`{"weight_map":{"a":"/etc/passwd"}}`:                                 "not a file name",
		`{"weight_map":{"a":"s2.safetensors"}}`:                              `tensor "a" is not in`,
		`{"weight_map":{"b":"s2.safetensors"}}`:                              "not in its index",
		`{"weight_map":{"a":"s9.safetensors"}}`:                              "s9",
		`{"weight_map":{}}`:                                                  "missing or empty",
		`{"weight_map":{"a":"s1.safetensors","b":""}}`:                       "not a file name",
		`{"weight_map":3}`:                                                   IndexFile,
		strings.Repeat(" ", IndexBytesMax) + `{}`:                            "longer than",
		`{"weight_map":{"a":"s1.safetensors","b":"` + IndexFile + `"}}` + ``: IndexFile,
	} {
		index(bad)
		if _, err := OpenDir(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: error %v, want %q", bad, err, want)
		}
	}
	write(SingleFile, Tensor{"only", F32, nil, []float32{4}})
	one, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if err := ReadBF16(one, "absent", make([]uint16, 1)); err == nil {
		t.Error("an absent tensor was read")
	}
}

// TestGoldenFromPython reads a file that the reference implementation wrote
// (tools/golden/safetensors_golden.py).
func TestGoldenFromPython(t *testing.T) {
	t.Parallel()
	f, err := Open("testdata/golden.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string][]float32{
		"f32":  {0, 1, -2.5, 3.4028235e38},
		"f16":  {6.1035156e-05, 5.9604645e-08, -65504, 0.33325195},
		"bf16": {1, -0.33398438, 3.3895314e38, 0},
	} {
		got := make([]float32, len(want))
		if err := f.ReadFloat32(name, got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	if info, _ := f.Info("bf16"); !slices.Equal(info.Shape, []int{2, 2}) {
		t.Errorf("shape %v", info.Shape)
	}
}

// FuzzParseIndex: no content makes it panic, and no name that it lets pass leaves the directory.
func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":1.5e9},"weight_map":{"a":"model-00001-of-00002.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseIndex(b)
		if err != nil {
			return
		}
		for _, name := range m {
			if dir, _ := filepath.Split(filepath.Join("/d", name)); dir != "/d/" {
				t.Errorf("%q is let pass", name)
			}
		}
	})
}

// FuzzOpen: no input panics, and what opens can be read whole.
func FuzzOpen(f *testing.F) {
	var good bytes.Buffer
	if err := Write(&good, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add(layOut("{}", 0))
	f.Add(layOut(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := open(b)
		if err != nil {
			return
		}
		var total int64
		for _, info := range file.Tensors() {
			total += info.Bytes()
			if info.DType == F32 || info.DType == F16 || info.DType == BF16 {
				if err := file.ReadFloat32(info.Name, make([]float32, info.Elements())); err != nil {
					t.Errorf("%s opened and does not read: %v", info.Name, err)
				}
			}
		}
		if total > int64(len(b)) {
			t.Errorf("%d bytes of tensors in a file of %d", total, len(b))
		}
	})
}
