//go:build !amd64 || !linux || purego

package gemm

import "outcrop.dev/outcrop/engine/tensor"

func assemblyKernels(tensor.CPU) []*Kernel { return nil }
