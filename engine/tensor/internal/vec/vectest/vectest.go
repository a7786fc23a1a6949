// Package vectest helps to test the packages that put package vec behind their functions:
// each instruction set must compute what the package's ref.go defines.
package vectest

import (
	"math"
	"testing"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
)

// Each runs f once for every instruction set that this machine has, and skips the test
// when it has none.
func Each(t *testing.T, f func(t *testing.T, set *vec.Set)) {
	t.Helper()
	if len(vec.Sets()) == 0 {
		t.Skip("NOT TESTED: this build or CPU has no assembly")
	}
	for _, set := range vec.Sets() {
		t.Run(set.Name, func(t *testing.T) { f(t, set) })
	}
}

// Near fails the test unless every element of got is want within tol·(|want| + size).
func Near(t *testing.T, what string, got, want []float32, tol, size float64) {
	t.Helper()
	for i := range want {
		d, bound := math.Abs(float64(got[i]-want[i])), tol*(math.Abs(float64(want[i]))+size)
		if !(d <= bound) {
			t.Fatalf("%s: element %d of %d is %g, by the definition %g within %g", what, i, len(want), got[i], want[i], bound)
		}
	}
}

// Two returns two copies of x, one for each implementation.
func Two(x []float32) (a, b []float32) {
	return append([]float32(nil), x...), append([]float32(nil), x...)
}
