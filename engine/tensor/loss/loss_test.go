package loss

import (
	"math"
	"math/rand/v2"
	"testing"
)

func logits(n int, spread float64) []float32 {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * spread)
	}
	return x
}

func lseOf(x []float32) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

var lengths = []int{1, 2, 15, 16, 17, 100, 8192, 8191}

func TestRow(t *testing.T) {
	t.Parallel()
	for _, n := range lengths {
		for _, spread := range []float64{0, 1, 10, 200} {
			for _, shift := range []float32{0, -1000, 3000} { // which changes no probability
				x := logits(n, spread)
				for i := range x {
					x[i] += shift
				}
				target := n / 2
				got, lse := Row(x, target)
				want := lseOf(x)
				wantLoss := want - float64(x[target])
				bound := func(of float64) float64 { return math.Exp2(-20) * (1 + math.Abs(of) + math.Log(float64(n))) }
				if !(math.Abs(float64(lse)-want) <= bound(want)) || !(math.Abs(float64(got)-wantLoss) <= bound(wantLoss)) {
					t.Errorf("n=%d spread=%g shift=%g: loss %g lse %g, want %g and %g", n, spread, shift, got, lse, wantLoss, want)
				}
			}
		}
	}
}

// TestRowOfMany: the sum of many equal numbers, each of which is rounded the same way, is as exact
// as of few.
func TestRowOfMany(t *testing.T) {
	t.Parallel()
	x := make([]float32, 262_144)
	for i := range x[1:] {
		x[1+i] = -0.1
	}
	got, lse := Row(x, 0)
	want := lseOf(x)
	if bound := math.Exp2(-20) * (1 + want + math.Log(float64(len(x)))); !(math.Abs(float64(got)-want) <= bound) || !(math.Abs(float64(lse)-want) <= bound) {
		t.Errorf("loss %g lse %g, want %g within %g", got, lse, want, bound)
	}
}

func TestRowBackward(t *testing.T) {
	t.Parallel()
	for _, n := range lengths {
		x := logits(n, 4)
		target, scale := n-1, float32(0.25)
		_, lse := Row(x, target)
		g := append([]float32(nil), x...)
		RowBackward(g, target, lse, scale)
		exact := lseOf(x)
		for j, v := range x {
			want := 0.25 * math.Exp(float64(v)-exact)
			if j == target {
				want -= 0.25
			}
			if !(math.Abs(float64(g[j])-want) <= 2e-6*0.25) {
				t.Fatalf("n=%d: gradient %d is %g, want %g", n, j, g[j], want)
			}
		}
	}
}

func TestNotFiniteShows(t *testing.T) {
	t.Parallel()
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		for _, at := range []int{0, 5, 39} {
			x := logits(40, 1)
			x[at] = float32(bad)
			l, lse := Row(x, 1)
			if finite(l) || finite(lse) {
				t.Errorf("%g at %d: loss %g lse %g", bad, at, l, lse)
			}
		}
	}
}

func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

func TestTargetPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Row(make([]float32, 4), 4)
}
