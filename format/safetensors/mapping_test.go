package safetensors

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func opened(t testing.TB, tensors ...Tensor) (f *File, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), SingleFile)
	if err := WriteFile(path, tensors); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, path
}

// long is a tensor of several chunks whose data begin at an odd place.
func long(dtype DType) Tensor {
	data := make([]float32, chunkBytes+3)
	for i := range data {
		data[i] = float32(i%509) / 4
	}
	return Tensor{"long", dtype, []int{len(data)}, data}
}

// TestFileShrinksWhileOpen: what a process without a guard would die of is an error.
func TestFileShrinksWhileOpen(t *testing.T) {
	t.Parallel()
	tensor := long(F32)
	f, path := opened(t, tensor)
	if err := os.Truncate(path, chunkBytes); err != nil {
		t.Fatal(err)
	}
	err := f.ReadFloat32("long", make([]float32, len(tensor.Data)))
	if err == nil || !strings.Contains(err.Error(), "cut short") || !strings.Contains(err.Error(), `"long"`) {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("an empty file: %v", err)
	}
}

// TestReplacedWhileOpen: a rename over the file changes nothing for who has it open.
func TestReplacedWhileOpen(t *testing.T) {
	t.Parallel()
	f, path := opened(t, Tensor{"x", F32, nil, []float32{1}})
	if err := WriteFile(path, []Tensor{{"x", F32, nil, []float32{2}}}); err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 1)
	if err := f.ReadFloat32("x", x); err != nil || x[0] != 1 {
		t.Errorf("read %v, %v", x, err)
	}
}

func TestReadAfterClose(t *testing.T) {
	t.Parallel()
	f, _ := opened(t, Tensor{"x", F32, nil, []float32{1}})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.ReadFloat32("x", make([]float32, 1)); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("error %v", err)
	}
}

func TestOpenRefusesOtherThanFiles(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("error %v", err)
	}
}

func TestReadFloat32At(t *testing.T) {
	t.Parallel()
	for _, dtype := range []DType{F32, F16, BF16} {
		want := long(dtype)
		f, _ := opened(t, want)
		whole := make([]float32, len(want.Data))
		if err := f.ReadFloat32("long", whole); err != nil {
			t.Fatal(err)
		}
		n := len(whole)
		for _, at := range []struct{ first, n int }{{0, 0}, {n, 0}, {0, n}, {1, n - 1}, {7, 13}, {chunkBytes/4 - 1, 3}, {n - 1, 1}} {
			got := make([]float32, at.n)
			if err := f.ReadFloat32At("long", at.first, got); err != nil || !slices.Equal(got, whole[at.first:at.first+at.n]) {
				t.Errorf("%s from %d, %d values: %v", dtype, at.first, at.n, err)
			}
		}
		for _, at := range []struct{ first, n int }{{-1, 1}, {n, 1}, {0, n + 1}, {math.MaxInt, 1}} {
			if err := f.ReadFloat32At("long", at.first, make([]float32, at.n)); err == nil {
				t.Errorf("%d values from %d were read of %d", at.n, at.first, n)
			}
		}
	}
}

func TestIndexLimits(t *testing.T) {
	t.Parallel()
	index := func(shards int) []byte {
		var b bytes.Buffer
		b.WriteString(`{"weight_map":{`)
		for i := range shards {
			if i > 0 {
				b.WriteByte(',')
			}
			n := string(rune('一' + i))
			b.WriteString(`"` + n + `":"` + n + `"`)
		}
		b.WriteString(`}}`)
		return b.Bytes()
	}
	if _, err := ParseIndex(index(ShardsMax)); err != nil {
		t.Error(err)
	}
	if _, err := ParseIndex(index(ShardsMax + 1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("error %v", err)
	}
}

func benchmarkTensor(dtype DType) Tensor {
	t := Tensor{"w", dtype, []int{4096, 4096}, make([]float32, 4096*4096)}
	for i := range t.Data {
		t.Data[i] = float32(i%1021) / 8
	}
	return t
}

// BenchmarkRead reads a matrix of the page cache; the bytes are those of the float32 written.
func BenchmarkRead(b *testing.B) {
	for _, dtype := range []DType{BF16, F16, F32} {
		b.Run(string(dtype), func(b *testing.B) {
			want := benchmarkTensor(dtype)
			f, _ := opened(b, want)
			dst := make([]float32, len(want.Data))
			b.SetBytes(int64(4 * len(dst)))
			for b.Loop() {
				if err := f.ReadFloat32("w", dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("copy", func(b *testing.B) { // what memory can do: one float32 matrix to another
		want := benchmarkTensor(F32).Data
		dst := make([]float32, len(want))
		b.SetBytes(int64(4 * len(dst)))
		for b.Loop() {
			copy(dst, want)
		}
	})
}

// BenchmarkWrite encodes a matrix without writing it to a disk.
func BenchmarkWrite(b *testing.B) {
	for _, dtype := range []DType{BF16, F32} {
		b.Run(string(dtype), func(b *testing.B) {
			t := benchmarkTensor(dtype)
			b.SetBytes(int64(len(t.Data)) * elementBytes[t.DType])
			for b.Loop() {
				if err := Write(discard{}, []Tensor{t}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
