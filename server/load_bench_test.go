package server_test

import (
	"path/filepath"
	"runtime"
	"testing"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/sums"
	"outcrop.dev/outcrop/models/catalog"
)

// BenchmarkLoad is what loading the embedded model takes, and what comparing its files with their
// checksums before takes.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	if _, err := catalog.Open(dir); err != nil {
		b.Fatal(err)
	}
	dir = filepath.Join(dir, catalog.Dir, catalog.PebbleID)
	if err := sums.Write(b.Context(), dir); err != nil {
		b.Fatal(err)
	}
	pool := tensor.NewPool(runtime.GOMAXPROCS(0))
	defer pool.Close()
	exec := nn.Exec{Pool: pool, Kernel: gemm.Best()}
	b.Run("load", func(b *testing.B) {
		began := processorTime(b)
		defer func() { b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op") }()
		for b.Loop() {
			serving, err := model.LoadServing(dir, exec)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := tokenizer.Load(filepath.Join(dir, tokenizer.File)); err != nil {
				b.Fatal(err)
			}
			if err := serving.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		began := processorTime(b)
		defer func() { b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op") }()
		for b.Loop() {
			if err := sums.Check(b.Context(), dir, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
