package nn

import "testing"

// TestGapsOfRareDropout: a probability that drops next to nothing has distances beyond any row,
// and none that has wrapped round.
func TestGapsOfRareDropout(t *testing.T) {
	t.Parallel()
	for _, p := range []float64{0.5, 1e-3, 1e-8, 1e-9, 1e-12, 1e-300} {
		last := int32(0)
		for u, gap := range gaps(p) {
			if gap < last {
				t.Fatalf("p = %g: the distance at %d is %d, after %d", p, u, gap, last)
			}
			last = gap
		}
	}
}
