package attention

import (
	"math"
	"slices"
	"testing"
)

var rowLengths = []int{1, 2, 15, 16, 17, 31, 100, 513}

func TestSoftmaxRow(t *testing.T) {
	t.Parallel()
	for _, n := range rowLengths {
		for _, scale := range []float32{0.125, 30} {
			x := random(uint64(n), n)
			visible := (n + 1) / 2
			p := slices.Clone(x)
			lse := SoftmaxRow(p, visible, scale)
			top, sum := math.Inf(-1), 0.0
			for _, v := range x[:visible] {
				top = max(top, float64(scale*v))
			}
			for _, v := range x[:visible] {
				sum += math.Exp(float64(scale*v) - top)
			}
			if want := top + math.Log(sum); !(math.Abs(float64(lse)-want) <= 1e-6*(1+math.Abs(want))) {
				t.Errorf("n=%d: lse %g, want %g", n, lse, want)
			}
			for j, v := range x {
				want := math.Exp(float64(scale*v)-top) / sum
				if j >= visible {
					want = 0
				}
				// exp turns the rounding of the scores, u·|score|, into a relative error.
				bound := (math.Exp2(-20)+math.Exp2(-23)*(math.Abs(float64(scale*v))+math.Abs(top)))*want + math.Exp2(-126)
				if !(math.Abs(float64(p[j])-want) <= bound) {
					t.Fatalf("n=%d: p[%d] = %g, want %g", n, j, p[j], want)
				}
			}
		}
	}
}

// TestSoftmaxRowPrefix: what is beyond the visible scores changes no bit.
func TestSoftmaxRowPrefix(t *testing.T) {
	t.Parallel()
	x := random(9, 300)
	for visible := 1; visible <= 300; visible += 13 {
		short, long := slices.Clone(x[:visible]), slices.Clone(x)
		a, b := SoftmaxRow(short, visible, 0.3), SoftmaxRow(long, visible, 0.3)
		if a != b || !slices.Equal(short, long[:visible]) {
			t.Errorf("%d visible scores: the row's length changes the result", visible)
		}
	}
}

// TestSoftmaxBackwardRow compares with central differences in float64.
func TestSoftmaxBackwardRow(t *testing.T) {
	t.Parallel()
	const scale = 0.5
	for _, n := range rowLengths {
		x, dp := random(1, n), random(2, n)
		visible := (n + 1) / 2
		p := slices.Clone(x)
		lse := SoftmaxRow(p, visible, scale)
		delta := Dot(p[:visible], dp[:visible])
		s, ds := slices.Clone(x), slices.Clone(dp)
		SoftmaxBackwardRow(s, ds, visible, scale, lse, delta)
		loss := func(j int, h float64) float64 {
			num, sum := 0.0, 0.0
			for i, v := range x[:visible] {
				e := float64(v)
				if i == j {
					e += h
				}
				e = math.Exp(scale * e)
				num, sum = num+e*float64(dp[i]), sum+e
			}
			return num / sum
		}
		for j := range s {
			const h = 1e-5
			want := (loss(j, h) - loss(j, -h)) / (2 * h)
			if !(math.Abs(float64(ds[j])-want) <= 2e-6) || math.Abs(float64(s[j]-p[j])) > 2e-6 {
				t.Fatalf("n=%d: ds[%d] = %g, want %g; p %g, want %g", n, j, ds[j], want, s[j], p[j])
			}
		}
	}
}

func TestDot(t *testing.T) {
	t.Parallel()
	for _, n := range append([]int{0}, rowLengths...) {
		a, b, want := make([]float32, n), make([]float32, n), float32(0)
		for i := range a {
			a[i], b[i] = float32(i%7), float32(i%5)
			want += a[i] * b[i]
		}
		if got := Dot(a, b); got != want { // whole numbers: every order is exact
			t.Errorf("n=%d: %g, want %g", n, got, want)
		}
	}
}

func TestNaNShows(t *testing.T) {
	t.Parallel()
	for _, at := range []int{0, 16, 36} {
		x := random(1, 40)
		x[at] = float32(math.NaN())
		if lse := SoftmaxRow(x, 37, 1); lse == lse {
			t.Errorf("NaN at %d: lse %g", at, lse)
		}
	}
}
