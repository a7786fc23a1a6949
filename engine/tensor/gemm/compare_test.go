package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
)

// product is the exact result of a multiplication, as far as float64 goes, and what an
// error may be measured against: mag is |c| + Σ|a||b|.
type product struct {
	rows, cols, k int
	want, mag     []float64
}

// exact multiplies in float64, after rounding the inputs as the kernel does.
func exact(bf16 bool, a, b Matrix, c []float32, ldc int, accumulate bool) product {
	p := product{rows: a.Rows, cols: b.Cols, k: a.Cols}
	as, bs := values(bf16, a), values(bf16, b.transposed())
	for i := range p.rows {
		for j := range p.cols {
			var sum, mag float64
			if accumulate {
				sum = float64(c[i*ldc+j])
				mag = math.Abs(sum)
			}
			column := bs[j*p.k:][:p.k]
			for k, x := range as[i*p.k:][:p.k] {
				sum += x * column[k]
				mag += math.Abs(x * column[k])
			}
			p.want, p.mag = append(p.want, sum), append(p.mag, mag)
		}
	}
	return p
}

// values returns the elements of m row by row, rounded to bfloat16 if so wanted.
func values(bf16 bool, m Matrix) []float64 {
	v := make([]float64, 0, m.Rows*m.Cols)
	for i := range m.Rows {
		for j := range m.Cols {
			x := m.At(i, j)
			if bf16 {
				x = tensor.ToBF16(x).Float32()
			}
			v = append(v, float64(x))
		}
	}
	return v
}

// compare returns an error unless every element of c is as close to the product as K+2
// roundings in float32 allow, and NaN and infinite where the product is.
func (p product) compare(c []float32, ldc int) error {
	gamma := float64(p.k+2) * 0x1p-23
	for i := range p.rows {
		for j := range p.cols {
			got, want := float64(c[i*ldc+j]), p.want[i*p.cols+j]
			switch {
			case math.IsNaN(want) && math.IsNaN(got), want == got:
			case math.Abs(got-want) <= gamma*p.mag[i*p.cols+j] && !math.IsInf(got, 0):
			default:
				return fmt.Errorf("element (%d,%d) is %g, want %g within %g", i, j, got, want, gamma*p.mag[i*p.cols+j])
			}
		}
	}
	return nil
}

// randomMatrix returns a matrix whose view begins at an odd offset and has a stride larger
// than its rows; what lies between the rows is NaN.
func randomMatrix(r *rand.Rand, rows, cols int, trans, bf16 bool) Matrix {
	lines, length := rows, cols
	if trans {
		lines, length = cols, rows
	}
	m := Matrix{Rows: rows, Cols: cols, Stride: length + r.IntN(7), Trans: trans}
	offset := r.IntN(4)
	data := make([]float32, offset+lines*m.Stride+8)
	for i := range data {
		data[i] = float32(math.NaN())
	}
	data = data[offset:]
	for l := range lines {
		for i := range length {
			data[l*m.Stride+i] = float32(r.NormFloat64())
		}
	}
	if !bf16 {
		m.F32 = data
		return m
	}
	m.BF16 = make([]tensor.BF16, len(data))
	tensor.ToBF16s(m.BF16, data)
	return m
}

// guarded is a C whose neighbours must not be touched.
type guarded struct {
	all, c          []float32
	rows, cols, ldc int
}

const guardWord = 12345.5

func newGuarded(r *rand.Rand, rows, cols int) guarded {
	g := guarded{rows: rows, cols: cols, ldc: cols + r.IntN(9)}
	offset := 16 + r.IntN(4)
	g.all = make([]float32, offset+rows*g.ldc+32)
	for i := range g.all {
		g.all[i] = guardWord
	}
	g.c = g.all[offset:]
	for i := range rows {
		for j := range cols {
			g.c[i*g.ldc+j] = float32(r.NormFloat64())
		}
	}
	return g
}

// check returns an error if a word outside the matrix has changed.
func (g guarded) check() error {
	offset := len(g.all) - len(g.c)
	for i, v := range g.all {
		at := i - offset
		inside := at >= 0 && g.ldc > 0 && at/g.ldc < g.rows && at%g.ldc < g.cols
		if !inside && v != guardWord {
			return fmt.Errorf("the word %d from the start of C was overwritten with %g", at, v)
		}
	}
	return nil
}

// TestCompareRejects: a comparison that accepts anything would prove nothing.
func TestCompareRejects(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	a, b := randomMatrix(r, 5, 300, false, false), randomMatrix(r, 300, 7, false, false)
	p := exact(false, a, b, nil, 0, false)
	right := make([]float32, len(p.want))
	for i, v := range p.want {
		right[i] = float32(v)
	}
	if err := p.compare(right, 7); err != nil {
		t.Fatalf("the exact result is rejected: %v", err)
	}
	wrong := map[string]func(c []float32){
		"zeros":         func(c []float32) { clear(c) },
		"a swapped row": func(c []float32) { copy(c, right[7:14]); copy(c[7:], right[:7]) },
		"1e-3 too large": func(c []float32) {
			for i := range c {
				c[i] *= 1.001
			}
		},
		"one NaN": func(c []float32) { c[11] = float32(math.NaN()) },
		"one Inf": func(c []float32) { c[12] = float32(math.Inf(1)) },
	}
	for name, spoil := range wrong {
		c := append([]float32(nil), right...)
		spoil(c)
		if p.compare(c, 7) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
