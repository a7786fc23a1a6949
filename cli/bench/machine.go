package bench

import (
	"fmt"
	"strings"

	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/engine/tensor/roofline"
)

// MachineReport is what a machine can do at best: the ceilings that the other reports are
// to be compared with.
type MachineReport struct {
	CPU       string
	Threads   int
	Peaks     []Peak  // of each kernel that the CPU can run, the best first
	Bandwidth float64 // bytes a second that all threads read together from memory
}

// Peak is what a kernel's multiply-add reaches on registers, all threads together.
type Peak struct {
	Kernel string
	FLOPS  float64
}

// String is a line for the machine and one for each kernel.
func (r MachineReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "machine: %s, %d threads, %.1f GB/s read from memory", r.CPU, r.Threads, r.Bandwidth/1e9)
	for _, p := range r.Peaks {
		fmt.Fprintf(&b, "\n  %-13s %5.0f GFLOP/s", p.Kernel, p.FLOPS/1e9)
	}
	return b.String()
}

// Machine measures the ceilings of the machine, which calls itself cpu. Errors: no memory.
func Machine(e Env, cpu string) (MachineReport, error) {
	r := MachineReport{CPU: cpu, Threads: e.Exec.Pool.Threads()}
	for _, k := range gemm.Kernels() {
		r.Peaks = append(r.Peaks, Peak{k.Name(), roofline.FLOPS(e.Now, e.Exec.Pool, k)})
	}
	var err error
	r.Bandwidth, err = roofline.ReadBandwidth(e.Now, e.Exec.Pool)
	return r, err
}
