package bench

import (
	"fmt"
	"testing"
	"time"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// benchEnv is for benchmarks, which are there to be profiled: `outcrop bench` is what
// measures.
func benchEnv(b *testing.B) Env {
	p := tensor.NewPool(2)
	b.Cleanup(p.Close)
	return Env{Exec: nn.Exec{Pool: p, Kernel: gemm.Best()}, Seconds: 3, Now: time.Now}
}

// BenchmarkStep trains the named shapes for some seconds.
func BenchmarkStep(b *testing.B) {
	for _, s := range Shapes {
		for _, method := range Methods {
			b.Run(s.Name+"/"+method, func(b *testing.B) {
				for b.Loop() {
					r, err := Train(benchEnv(b), s, method)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(r.Best, "tok/s")
				}
			})
		}
	}
}

// BenchmarkDecode generates with the named shapes for some seconds, in one session and in many.
func BenchmarkDecode(b *testing.B) {
	for _, s := range Shapes {
		for _, sessions := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/%d", s.Name, sessions), func(b *testing.B) {
				for b.Loop() {
					r, err := Generate(benchEnv(b), s, sessions)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(r.BestGenerate, "tok/s")
				}
			})
		}
	}
}
