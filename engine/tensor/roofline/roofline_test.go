package roofline

import (
	"fmt"
	"testing"
	"time"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// TestRates: with a clock that advances one millisecond at every look, the rates are the
// work done in it, whatever the machine.
func TestRates(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	clock := func() time.Time {
		at = at.Add(time.Millisecond)
		return at
	}
	p := tensor.NewPool(2)
	defer p.Close()
	for _, k := range gemm.Kernels()[:1] {
		rate := FLOPS(clock, p, k)
		if want := 2 * spinFLOP * 1000; rate < 0.9*want || rate > want {
			t.Errorf("%s: %g operations a second, want about %g", k.Name(), rate, want)
		}
	}
	bytes, err := ReadBandwidth(clock, p)
	if want := 2 * bandwidthBytes * 1000.0; err != nil || bytes != want {
		t.Errorf("%g bytes a second, %v; want %g", bytes, err, want)
	}
}

// BenchmarkRoofline reports the limits of this machine.
func BenchmarkRoofline(b *testing.B) {
	for _, threads := range []int{1, 2} {
		p := tensor.NewPool(threads)
		b.Cleanup(p.Close)
		for _, k := range gemm.Kernels() {
			b.Run(fmt.Sprintf("%d-threads/%s", threads, k.Name()), func(b *testing.B) {
				rate := 0.0
				for b.Loop() {
					rate = max(rate, FLOPS(time.Now, p, k))
				}
				b.ReportMetric(rate/1e9, "GFLOP/s")
			})
		}
		b.Run(fmt.Sprintf("%d-threads/memory", threads), func(b *testing.B) {
			rate := 0.0
			for b.Loop() {
				bytes, err := ReadBandwidth(time.Now, p)
				if err != nil {
					b.Fatal(err)
				}
				rate = max(rate, bytes)
			}
			b.ReportMetric(rate/1e9, "GB/s")
		})
	}
}
