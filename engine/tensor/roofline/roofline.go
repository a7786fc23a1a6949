// Package roofline measures what the machine can do at best: floating-point operations and
// bytes from memory a second. A kernel's speed is then a share of the smaller of the two
// limits (Williams, Waterman and Patterson 2009, "Roofline").
//
//	peak := roofline.FLOPS(time.Now, pool, gemm.Best())
//	bytes, err := roofline.ReadBandwidth(time.Now, pool)
package roofline

import (
	"time"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/engine/tensor/internal/vec"
)

const (
	// trials is how often a measurement is repeated; the best counts, because other
	// programs can only make it slower.
	trials = 10
	// spinFLOP is about the work of one trial of FLOPS on one thread: a millisecond or less
	// with AVX2 or better, long against the cost of starting and timing it.
	spinFLOP = 1e8
	// bandwidthBytes is how much one thread reads in a trial: more than its share of the
	// last level cache of most machines.
	bandwidthBytes = 64 << 20
)

// FLOPS returns the floating-point operations a second that the threads of p reach together
// with the multiply-add of k, on registers only. It takes some milliseconds; now is the
// clock, time.Now.
func FLOPS(now func() time.Time, p *tensor.Pool, k *gemm.Kernel) float64 {
	rounds := int(spinFLOP / k.Spin(1))
	return best(now, p, func(int) float64 { return k.Spin(rounds) })
}

// ReadBandwidth returns the bytes a second that the threads of p read together from memory,
// on huge pages where the kernel grants them. Errors: there is no memory to read.
func ReadBandwidth(now func() time.Time, p *tensor.Pool) (float64, error) {
	a, err := tensor.NewArena(bandwidthBytes * p.Threads())
	if err != nil {
		return 0, err
	}
	defer a.Close()
	parts, read := make([][]float32, p.Threads()), reader()
	for i := range parts {
		parts[i] = a.F32(bandwidthBytes / 4)
		for j := range parts[i] {
			parts[i][j] = 1 // a page that was never written is not in memory
		}
	}
	return best(now, p, func(part int) float64 {
		read(parts[part])
		return bandwidthBytes
	}), nil
}

// reader returns a function that reads a slice as fast as a core can.
func reader() func(x []float32) float32 {
	if set := vec.Best(); set != nil {
		return set.Max
	}
	return func(x []float32) (sum float32) {
		for _, v := range x {
			sum += v
		}
		return sum
	}
}

// best runs work on every thread at a time, and returns the highest total of what it
// returns, a second.
func best(now func() time.Time, p *tensor.Pool, work func(thread int) float64) (rate float64) {
	done := make([]float64, p.Threads())
	for range trials {
		start := now()
		p.For(len(done), func(task, _ int) { done[task] = work(task) })
		total := 0.0
		for _, d := range done {
			total += d
		}
		rate = max(rate, total/now().Sub(start).Seconds())
	}
	return rate
}
