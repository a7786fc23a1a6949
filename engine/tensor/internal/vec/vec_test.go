package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
)

// allSets runs f once per set; one that this machine cannot run is skipped, unless
// OUTCROP_REQUIRE names it.
func allSets(t *testing.T, f func(t *testing.T, s *Set)) {
	if len(sets) == 0 {
		t.Skip("NOT TESTED: this build has no assembly")
	}
	for _, s := range sets {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if !s.usable(tensor.HostCPU()) {
				if strings.Contains(os.Getenv("OUTCROP_REQUIRE"), s.Name) {
					t.Fatalf("OUTCROP_REQUIRE names %s, and this CPU has %s", s.Name, tensor.HostCPU())
				}
				t.Skipf("NOT TESTED: this CPU has %s only", tensor.HostCPU())
			}
			f(t, s)
		})
	}
}

// row is a slice of n random numbers between guard words, at an odd offset.
type row struct{ all, x []float32 }

const (
	guard      = 8
	guardValue = 4711
)

func newRow(r *rand.Rand, n int, spread float64) row {
	offset := guard + r.IntN(4)
	all := make([]float32, offset+n+guard)
	for i := range all {
		all[i] = guardValue
	}
	x := all[offset : offset+n : offset+n]
	for i := range x {
		x[i] = float32(r.NormFloat64() * spread)
	}
	return row{all, x}
}

func (w row) check(t *testing.T, what string) {
	t.Helper()
	before := len(w.all) - guard - len(w.x)
	for i, v := range w.all {
		if (i < before || i >= before+len(w.x)) && v != guardValue {
			t.Fatalf("%s: the word %d from the start of a slice was overwritten", what, i-before)
		}
	}
}

func (w row) copy() row {
	all := append([]float32(nil), w.all...)
	before := len(w.all) - guard - len(w.x)
	return row{all, all[before : before+len(w.x)]}
}

// close tells whether got is want within tol*mag, and NaN or infinite where want is.
func close(got float32, want, mag, tol float64) bool {
	g := float64(got)
	if math.IsNaN(want) || math.IsInf(want, 0) || math.IsInf(float64(float32(want)), 0) {
		return math.IsNaN(want) == math.IsNaN(g) && (math.IsNaN(g) || g == float64(float32(want)))
	}
	return math.Abs(g-want) <= tol*math.Abs(mag)+0x1p-126
}

// u is the unit of rounding of float32.
const u = 0x1p-24

// operation is one loop as a function of its slices, and the same in float64, element by
// element. A sum, if any, is the last result.
type operation struct {
	name   string
	slices int
	spread float64
	run    func(s *Set, x [][]float32) float32
	// want returns the new values of element i of every slice, their magnitudes for the
	// error bound, and the element's part of the sum with its magnitude.
	want func(x []float64) (out, mag []float64, sum, sumMag float64)
	tol  float64 // in units u
}

func same(x []float64) (out, mag []float64) {
	return append([]float64(nil), x...), append([]float64(nil), x...)
}

var operations = []operation{
	{
		name: "ExpSum", slices: 1, spread: 8, tol: 40,
		run: func(s *Set, x [][]float32) float32 { return s.ExpSum(x[0], 0.5, -1) },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			e := math.Exp(0.5*x[0] - 1)
			return []float64{e}, []float64{e}, e, e
		},
	},
	{
		name: "SumExp", slices: 1, spread: 8, tol: 40,
		run: func(s *Set, x [][]float32) float32 { return s.SumExp(x[0], -2) },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			out, mag = same(x)
			e := math.Exp(x[0] - 2)
			return out, mag, e, e
		},
	},
	{
		name: "ExpScale", slices: 1, spread: 8, tol: 40,
		run: func(s *Set, x [][]float32) float32 { s.ExpScale(x[0], -2, 3); return 0 },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			e := 3 * math.Exp(x[0]-2)
			return []float64{e}, []float64{e}, 0, 0
		},
	},
	{
		name: "Scale", slices: 1, spread: 1, tol: 1,
		run: func(s *Set, x [][]float32) float32 { s.Scale(x[0], -1.5); return 0 },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			return []float64{-1.5 * x[0]}, []float64{x[0] * 1.5}, 0, 0
		},
	},
	{
		name: "SoftmaxBackward", slices: 2, spread: 4, tol: 40,
		run: func(s *Set, x [][]float32) float32 { s.SoftmaxBackward(x[0], x[1], 0.25, 1.5, 0.75); return 0 },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			p := math.Exp(0.25*x[0] - 1.5)
			return []float64{p, 0.25 * p * (x[1] - 0.75)}, []float64{p, p * (math.Abs(x[1]) + 1)}, 0, 0
		},
	},
	{
		name: "Dot", slices: 2, spread: 1, tol: 1,
		run: func(s *Set, x [][]float32) float32 { return s.Dot(x[0], x[1]) },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			out, mag = same(x)
			return out, mag, x[0] * x[1], math.Abs(x[0] * x[1])
		},
	},
	{
		name: "Dot3", slices: 3, spread: 1, tol: 1,
		run: func(s *Set, x [][]float32) float32 { return s.Dot3(x[0], x[1], x[2]) },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			out, mag = same(x)
			return out, mag, x[0] * x[1] * x[2], math.Abs(x[0] * x[1] * x[2])
		},
	},
	{
		name: "SumSquares", slices: 1, spread: 1, tol: 1,
		run: func(s *Set, x [][]float32) float32 { return float32(s.SumSquares(x[0])) },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			out, mag = same(x)
			return out, mag, x[0] * x[0], x[0] * x[0]
		},
	},
	{
		name: "SwiGLU", slices: 3, spread: 20, tol: 8,
		run: func(s *Set, x [][]float32) float32 { s.SwiGLU(x[0], x[1], x[2]); return 0 },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			out, mag = same(x)
			out[0] = x[2] * x[1] / (1 + math.Exp(-x[1]))
			mag[0] = out[0]
			return out, mag, 0, 0
		},
	},
	{
		name: "SwiGLUBackward", slices: 5, spread: 5, tol: 30,
		run: func(s *Set, x [][]float32) float32 { s.SwiGLUBackward(x[0], x[1], x[2], x[3], x[4]); return 0 },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			out, mag = same(x)
			d, g, up := x[2], x[3], x[4]
			sig := 1 / (1 + math.Exp(-g))
			out[0], out[1] = d*up*sig*(1+g*(1-sig)), d*g*sig
			mag[0], mag[1] = d*up*sig*(1+math.Abs(g)), out[1]
			return out, mag, 0, 0
		},
	},
	{
		name: "GELU", slices: 3, spread: 3, tol: 8,
		run:  func(s *Set, x [][]float32) float32 { s.GELU(x[0], x[1], x[2]); return 0 },
		want: gated(gelu),
	},
	{
		name: "GELUBackward", slices: 5, spread: 3, tol: 16,
		run:  func(s *Set, x [][]float32) float32 { s.GELUBackward(x[0], x[1], x[2], x[3], x[4]); return 0 },
		want: gatedBackward(gelu),
	},
	{
		name: "GELUTanh", slices: 3, spread: 3, tol: 16,
		run:  func(s *Set, x [][]float32) float32 { s.GELUTanh(x[0], x[1], x[2]); return 0 },
		want: gated(geluTanh),
	},
	{
		name: "GELUTanhBackward", slices: 5, spread: 3, tol: 64,
		run:  func(s *Set, x [][]float32) float32 { s.GELUTanhBackward(x[0], x[1], x[2], x[3], x[4]); return 0 },
		want: gatedBackward(geluTanh),
	},
	{
		name: "Norm", slices: 3, spread: 1, tol: 4,
		run: func(s *Set, x [][]float32) float32 { s.Norm(x[0], x[1], x[2], 0.3); return 0 },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			out, mag = same(x)
			out[0] = x[1] * float64(float32(0.3)) * x[2]
			mag[0] = out[0]
			return out, mag, 0, 0
		},
	},
	{
		name: "NormBackward", slices: 5, spread: 1, tol: 6,
		run: func(s *Set, x [][]float32) float32 {
			s.NormBackward(x[0], x[1], x[2], x[3], x[4], 0.5, 0.25)
			return 0
		},
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			out, mag = same(x)
			dy, v, w := x[2], x[3], x[4]
			out[0], out[1] = x[0]+dy*w*0.5-v*0.25, x[1]+dy*v*0.5
			mag[0], mag[1] = math.Abs(x[0])+math.Abs(dy*w)+math.Abs(v), math.Abs(x[1])+math.Abs(dy*v)
			return out, mag, 0, 0
		},
	},
	{
		name: "Rotate", slices: 4, spread: 1, tol: 6,
		run: func(s *Set, x [][]float32) float32 { s.Rotate(x[0], x[1], x[2], x[3], -1); return 0 },
		want: func(x []float64) (out, mag []float64, sum, sumMag float64) {
			out, mag = same(x)
			a, b, c, sin := x[0], x[1], x[2], -x[3]
			out[0], out[1] = a*c-b*sin, b*c+a*sin
			mag[0], mag[1] = math.Abs(a*c)+math.Abs(b*sin), math.Abs(b*c)+math.Abs(a*sin)
			return out, mag, 0, 0
		},
	},
}

// gelu returns the function and its slope at x.
func gelu(x float64) (y, slope float64) {
	p := math.Erfc(-x/math.Sqrt2) / 2
	return x * p, p + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

func geluTanh(x float64) (y, slope float64) {
	k := 2 * math.Sqrt(2/math.Pi)
	s := 1 / (1 + math.Exp(-k*(x+0.044715*x*x*x)))
	return x * s, s + x*s*(1-s)*k*(1+3*0.044715*x*x)
}

// gated is an operation's want for dst = up*f(gate), whose error is a part of up*gate.
func gated(f func(x float64) (y, slope float64)) func(x []float64) (out, mag []float64, sum, sumMag float64) {
	return func(x []float64) (out, mag []float64, sum, sumMag float64) {
		out, mag = same(x)
		y, _ := f(x[1])
		out[0], mag[0] = x[2]*y, x[2]*x[1]
		return out, mag, 0, 0
	}
}

// gatedBackward is the same for the gradients dgate and dup.
func gatedBackward(f func(x float64) (y, slope float64)) func(x []float64) (out, mag []float64, sum, sumMag float64) {
	return func(x []float64) (out, mag []float64, sum, sumMag float64) {
		out, mag = same(x)
		d, g, up := x[2], x[3], x[4]
		y, slope := f(g)
		out[0], out[1] = d*up*slope, d*y
		mag[0], mag[1] = math.Abs(d*up), d*g
		return out, mag, 0, 0
	}
}

func TestLoops(t *testing.T) {
	t.Parallel()
	allSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(11, 12))
		for _, op := range operations {
			for n := range 70 {
				testLoop(t, s, op, r, n)
			}
			testLoop(t, s, op, r, 1000)
		}
	})
}

func testLoop(t *testing.T, s *Set, op operation, r *rand.Rand, n int) {
	t.Helper()
	rows, before, x := make([]row, op.slices), make([]row, op.slices), make([][]float32, op.slices)
	for i := range rows {
		rows[i] = newRow(r, n, op.spread)
		before[i], x[i] = rows[i].copy(), rows[i].x
	}
	what := fmt.Sprintf("%s of %d", op.name, n)
	got := op.run(s, x)
	var sum, sumMag float64
	for i := range n {
		in := make([]float64, op.slices)
		for j := range in {
			in[j] = float64(before[j].x[i])
		}
		out, mag, part, partMag := op.want(in)
		sum, sumMag = sum+part, sumMag+partMag
		for j := range out {
			if !close(x[j][i], out[j], mag[j], op.tol*u) {
				t.Fatalf("%s: element %d of slice %d is %g, want %g (inputs %g)", what, i, j, x[j][i], out[j], in)
			}
		}
	}
	if !close(got, sum, sumMag, (op.tol+float64(n))*u) {
		t.Fatalf("%s returns %g, want %g", what, got, sum)
	}
	for _, w := range rows {
		w.check(t, what)
	}
}

func TestMax(t *testing.T) {
	t.Parallel()
	allSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(13, 14))
		for n := range 70 {
			w := newRow(r, n, 1)
			want := float32(math.Inf(-1))
			for i := range w.x {
				w.x[i] -= 100 // below the zeros that a bad tail would read
				want = max(want, w.x[i])
			}
			if got := s.Max(w.x); got != want {
				t.Fatalf("Max of %d is %g, want %g", n, got, want)
			}
		}
	})
}

// TestExpRange: the exponential is right over its whole range, including results that are
// subnormal, zero or infinite, and NaN passes.
func TestExpRange(t *testing.T) {
	t.Parallel()
	allSets(t, func(t *testing.T, s *Set) {
		inf, nan := float32(math.Inf(1)), float32(math.NaN())
		x := []float32{0, 1, -1, 88.72, 88.73, 89, 1000, 1e30, inf, -87, -88, -103, -104, -105, -1e30, -inf, nan}
		for v := float32(-110); v < 90; v += 0.0137 {
			x = append(x, v)
		}
		in := append([]float32(nil), x...)
		s.ExpScale(x, 0, 1)
		for i, v := range in {
			want := math.Exp(float64(v))
			if !close(x[i], want, want, 2*u) && math.Abs(float64(x[i])-want) > 0x1p-149 {
				t.Errorf("exp(%g) = %g, want %g", v, x[i], want)
			}
			if want < 0x1p-126 && math.Abs(float64(x[i])-want) > 0x1p-149 {
				t.Errorf("exp(%g) = %g, want the subnormal %g", v, x[i], want)
			}
		}
	})
}

// TestNotFinite: NaN and infinite inputs show in the element and in nothing else.
func TestNotFinite(t *testing.T) {
	t.Parallel()
	inf := float32(math.Inf(1))
	allSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(15, 16))
		for _, op := range operations {
			for _, bad := range []float32{inf, -inf, float32(math.NaN())} {
				testNotFinite(t, s, op, r, bad)
			}
		}
	})
}

func testNotFinite(t *testing.T, s *Set, op operation, r *rand.Rand, bad float32) {
	t.Helper()
	const n, at = 45, 37
	x, in := make([][]float32, op.slices), make([]float64, op.slices)
	for j := range x {
		x[j] = newRow(r, n, 1).x
		x[j][at] = bad
		in[j] = float64(bad)
	}
	op.run(s, x)
	out, _, _, _ := op.want(in)
	for j := range x {
		for i, v := range x[j] {
			finite := !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
			if i != at && !finite {
				t.Errorf("%s with %g at %d: element %d of slice %d is %g", op.name, bad, at, i, j, v)
			}
			if i == at && finite != (out[j] == 0) {
				t.Errorf("%s of %g gives %g in slice %d, want %g", op.name, bad, v, j, out[j])
			}
		}
	}
}

func TestAdamW(t *testing.T) {
	t.Parallel()
	allSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(17, 18))
		for n := range 70 {
			var rows [4]row
			for i := range rows {
				rows[i] = newRow(r, n, 1)
			}
			for i, v := range rows[3].x {
				rows[3].x[i] = v * v
			}
			w, g, m, v := rows[0].copy().x, rows[1].x, rows[2].copy().x, rows[3].copy().x
			const scale, beta1, beta2, decay, rate, c2, eps = 0.5, 0.875, 0.9375, 0.75, 0.25, 1.25, 0.125
			s.AdamW(rows[0].x, g, rows[2].x, rows[3].x, scale, beta1, 1-beta1, beta2, 1-beta2, decay, rate, c2, eps)
			for i := range n {
				gi := float64(g[i]) * scale
				mi := float64(m[i])*beta1 + gi*(1-beta1)
				vi := float64(v[i])*beta2 + gi*gi*(1-beta2)
				wi := float64(w[i])*decay - rate*mi/(math.Sqrt(vi)*c2+eps)
				mag := math.Abs(float64(w[i])) + math.Abs(float64(m[i])) + math.Abs(gi)
				if !close(rows[2].x[i], mi, mag, 4*u) || !close(rows[3].x[i], vi, vi, 4*u) || !close(rows[0].x[i], wi, 3*mag, 4*u) {
					t.Fatalf("element %d of %d: m %g, v %g, w %g, want %g, %g, %g", i, n, rows[2].x[i], rows[3].x[i], rows[0].x[i], mi, vi, wi)
				}
			}
			for _, w := range rows {
				w.check(t, "AdamW")
			}
		}
	})
}

// TestPrefix: a sum over the first n elements does not depend on what follows them.
func TestPrefix(t *testing.T) {
	t.Parallel()
	allSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(19, 20))
		long := newRow(r, 100, 1).x
		for n := range 100 {
			alone := append([]float32(nil), long[:n]...)
			if s.SumExp(long[:n], 0) != s.SumExp(alone, 0) || s.Dot(long[:n], long[:n]) != s.Dot(alone, alone) {
				t.Fatalf("the first %d elements have another sum alone", n)
			}
		}
	})
}

// BenchmarkLoops counts the bytes read and written.
func BenchmarkLoops(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range Sets() {
		for _, n := range []int{704, 8192} {
			for _, op := range operations {
				b.Run(fmt.Sprintf("%s/%s/%d", s.Name, op.name, n), func(b *testing.B) {
					x := make([][]float32, op.slices)
					for i := range x {
						x[i] = newRow(r, n, 1).x
					}
					b.SetBytes(int64(4 * n * op.slices))
					for b.Loop() {
						op.run(s, x)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
				})
			}
		}
	}
}
