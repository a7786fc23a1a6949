package export_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/internal/tinymodel"
	"outcrop.dev/outcrop/models/export"
)

// A model becomes a file for llama.cpp.
func ExampleGGUF() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	if err := tinymodel.Write(dir); err != nil {
		log.Fatal(err)
	}
	pool := tensor.NewPool(1)
	defer pool.Close()
	m := export.Model{Dir: dir, Exec: nn.Exec{Pool: pool, Kernel: gemm.Best()}}
	report, err := export.GGUF(context.Background(), filepath.Join(dir, "tiny.gguf"), m, export.Options{Name: "tiny"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(report.Path), report.Tensors)
	// Output: tiny.gguf 20
}
