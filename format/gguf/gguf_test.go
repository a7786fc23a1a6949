package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// of returns a tensor of these values.
func of(name string, t Type, shape []int, x []float32) Tensor {
	columns := shape[len(shape)-1]
	return Tensor{name, t, shape, func(dst []float32, first int) error {
		copy(dst, x[first*columns:])
		return nil
	}}
}

func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%97)/8 - 6
	}
	return x
}

func sampleFields() []Field {
	return []Field{
		{"general.architecture", "llama"}, {"u32", uint32(7)}, {"i32", int32(-7)}, {"f32", float32(1e-5)}, {"yes", true}, {"no", false},
		{"u64", uint64(1) << 40}, {"strings", []string{"a", "", "ä b"}}, {"numbers", []int32{1, -2}}, {"counts", []uint32{1, 2}},
		{"scores", []float32{0, -1.5}}, {"flags", []bool{true, false}}, {"none", []string{}},
	}
}

func sampleTensors() []Tensor {
	return []Tensor{
		of("norm", F32, []int{5}, ramp(5)), of("half", F16, []int{3, 2}, ramp(6)), of("brain", BF16, []int{2, 3, 4}, ramp(24)),
		of("eight", Q8_0, []int{3, 64}, ramp(192)), of("long", F16, []int{3000, 1000}, ramp(3_000_000)),
	}
}

func written(t testing.TB, fields []Field, tensors []Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, fields, tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	f, err := Parse(written(t, sampleFields(), sampleTensors()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Fields, sampleFields()) {
		t.Errorf("fields %v", f.Fields)
	}
	if v, ok := f.Value("u32"); !ok || v != uint32(7) {
		t.Errorf("u32 is %v, %v", v, ok)
	}
	if _, ok := f.Value("other"); ok {
		t.Error("a field that is not there")
	}
	for i, want := range sampleTensors() {
		if got := f.Tensors[i]; got.Name != want.Name || got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) {
			t.Errorf("%+v, want %s %s %v", got, want.Name, want.Type, want.Shape)
		}
		columns, rows := want.rows()
		values := ramp(columns * rows)
		got, ok := f.Float32(want.Name)
		worst := 0.0
		for i := range values {
			worst = max(worst, math.Abs(float64(got[i]-values[i])))
		}
		// The values are multiples of 1/8 up to 6: 8-bit blocks have steps of 6.125/127 at most.
		if limit := map[Type]float64{Q8_0: 6.125/127/2 + 0x1p-8}[want.Type]; !ok || worst > limit {
			t.Errorf("%s: off by %g, limit %g", want.Name, worst, limit)
		}
	}
	if _, ok := f.Float32("other"); ok {
		t.Error("a tensor that is not there")
	}
}

// TestLayout spells a small file out.
func TestLayout(t *testing.T) {
	t.Parallel()
	got := written(t, []Field{{"k", uint32(9)}}, []Tensor{of("t", F32, []int{2, 1}, []float32{1, 2})})
	var want []byte
	u32 := func(x uint32) { want = binary.LittleEndian.AppendUint32(want, x) }
	u64 := func(x uint64) { want = binary.LittleEndian.AppendUint64(want, x) }
	want = append(want, "GGUF"...)
	u32(3)
	u64(1) // tensors
	u64(1) // fields
	u64(1)
	want = append(want, 'k')
	u32(4)
	u32(9)
	u64(1)
	want = append(want, 't')
	u32(2)
	u64(1) // innermost first
	u64(2)
	u32(0)
	u64(0)
	want = append(want, make([]byte, 96-len(want))...)
	u32(math.Float32bits(1))
	u32(math.Float32bits(2))
	want = append(want, make([]byte, 24)...)
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// TestQ8 knows blocks worked out by hand.
func TestQ8(t *testing.T) {
	t.Parallel()
	x := make([]float32, 64)
	x[0], x[1], x[2] = 127, -63.5, 0.5 // d = 1; halves go away from zero
	b := make([]byte, 2*q8Bytes)
	encodeQ8(b, x)
	if got := b[:6]; !bytes.Equal(got, []byte{0, 0x3c, 127, 0xc0, 1, 0}) {
		t.Errorf("block % x", got)
	}
	if got := b[q8Bytes:]; !bytes.Equal(got, make([]byte, q8Bytes)) {
		t.Errorf("a block of zeros is % x", got)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	one := of("t", F32, []int{1}, []float32{1})
	failing := Tensor{"t", F32, []int{1}, func([]float32, int) error { return errors.New("no rows") }}
	name := strings.Repeat("n", TensorNameMax)
	if err := Write(&bytes.Buffer{}, nil, []Tensor{of(name, F32, []int{1}, []float32{1})}); err != nil {
		t.Errorf("a name at the limit: %v", err)
	}
	for want, x := range map[string]struct {
		fields  []Field
		tensors []Tensor
	}{
		"int cannot be written":     {[]Field{{"k", 1}}, nil},
		`"k" is empty or occurs`:    {[]Field{{"k", true}, {"k", true}}, nil},
		`"" is empty or occurs`:     {[]Field{{"", true}}, nil},
		`tensor "t" occurs twice`:   {nil, []Tensor{one, one}},
		"1 to 63 bytes":             {nil, []Tensor{of(name+"n", F32, []int{1}, nil)}},
		"type 2 cannot be written":  {nil, []Tensor{of("t", 2, []int{1}, nil)}},
		"1 to 4 dimensions":         {nil, []Tensor{of("t", F32, []int{1, 1, 1, 1, 1}, nil)}},
		"must be positive":          {nil, []Tensor{of("t", F32, []int{0, 1}, nil)}},
		"rows of 33":                {nil, []Tensor{of("t", Q8_0, []int{33}, nil)}},
		`tensor "t": no rows`:       {nil, []Tensor{failing}},
		"10001 fields and":          {make([]Field, FieldsMax+1), nil},
		"and 100001 tensors are mo": {nil, make([]Tensor, TensorsMax+1)},
	} {
		if err := Write(&bytes.Buffer{}, x.fields, x.tensors); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestParseRefuses spoils a good file in one place at a time.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := written(t, []Field{{"k", uint32(9)}}, []Tensor{of("t", F32, []int{2, 1}, []float32{1, 2})})
	if _, err := Parse(good); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		at   int
		b    byte
		want string
	}{
		{0, 'X', "begin with GGUF"}, {4, 2, "version 2"}, {15, 1, "are more than"}, {23, 1, "are more than"},
		{24 + 7, 1, "longer than"}, {24 + 8 + 1, 99, "value type 99"}, {41 + 8 + 1, 9, "9 dimensions"}, {41 + 13, 9, "cut short"},
		{41 + 13, 0, "out of range"}, {41 + 13 + 7, 1, "out of range"}, {41 + 29, 2, "type 2"}, {41 + 33, 32, "begins at byte 32"},
		{41 + 45, 1, "padding"}, {96 + 8, 1, "padding"},
	} {
		b := slices.Clone(good)
		b[x.at] = x.b
		if _, err := Parse(b); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("byte %d = %d: %v, want %q", x.at, x.b, err, x.want)
		}
	}
	for n := range good {
		if _, err := Parse(good[:n]); err == nil {
			t.Errorf("the first %d bytes were accepted", n)
		}
	}
	if _, err := Parse(append(slices.Clone(good), 0)); err == nil || !strings.Contains(err.Error(), "at the end") {
		t.Errorf("a byte too many: %v", err)
	}
	array := written(t, []Field{{"k", []uint32{1}}}, nil)
	for i, x := range []uint64{ArrayMax, ArrayMax + 1, 1 << 63} {
		binary.LittleEndian.PutUint64(array[24+9+8:], x)
		if _, err := Parse(array); err == nil || !strings.Contains(err.Error(), "too long") && !strings.Contains(err.Error(), "cut short") {
			t.Errorf("array %d: %v", i, err)
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	for _, want := range []Type{F32, F16, Q8_0, BF16} {
		if got, ok := ParseType(want.String()); !ok || got != want {
			t.Errorf("%s is %v, %v", want, got, ok)
		}
	}
	if _, ok := ParseType("q4_0"); ok {
		t.Error("q4_0 is not written")
	}
}

// FuzzParse: no input panics, and what is accepted is written the same again.
func FuzzParse(f *testing.F) {
	f.Add(written(f, sampleFields(), sampleTensors()[:4]))
	f.Add(written(f, nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse(b)
		if err != nil {
			return
		}
		var tensors []Tensor
		for _, info := range file.Tensors {
			if info.Type == Q8_0 {
				return // which rounding does not bring back
			}
			x, _ := file.Float32(info.Name)
			for _, v := range x {
				if v != v {
					return // the bits of a NaN are not kept
				}
			}
			tensors = append(tensors, of(info.Name, info.Type, info.Shape, x))
		}
		if again := written(t, file.Fields, tensors); !bytes.Equal(again, b) {
			t.Errorf("written again it differs:\n%x\n%x", again, b)
		}
	})
}

// TestWriteEndsOnAFullDisk: what could not be written any more is not read either.
func TestWriteEndsOnAFullDisk(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left")
	reads := 0
	tensors := []Tensor{{Name: "a", Type: F32, Shape: []int{64, 1 << 19}, Rows: func([]float32, int) error { reads++; return nil }}}
	if err := Write(failing{full}, nil, tensors); !errors.Is(err, full) || reads > 2 {
		t.Errorf("error %v after %d reads", err, reads)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
