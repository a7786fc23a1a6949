package vectest

import (
	"math"
	"testing"
)

// TestNearRejects: a comparison that accepts anything would prove nothing.
func TestNearRejects(t *testing.T) {
	t.Parallel()
	want := []float32{1, -2, 3}
	for name, got := range map[string][]float32{
		"zeros":          {0, 0, 0},
		"swapped":        {-2, 1, 3},
		"1e-3 too large": {1.001, -2.002, 3.003},
		"NaN":            {1, -2, float32(math.NaN())},
	} {
		inner := &testing.T{}
		done := make(chan struct{})
		go func() { // Fatalf ends the goroutine
			defer close(done)
			Near(inner, name, got, want, 0x1p-20, 0)
		}()
		<-done
		if !inner.Failed() {
			t.Errorf("%s: accepted", name)
		}
	}
	Near(t, "itself", want, want, 0, 0)
}
