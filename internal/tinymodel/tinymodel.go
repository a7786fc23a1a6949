// Package tinymodel writes a model that is as small as a model can be, for tests: random
// weights under Pebble's tokenizer, in Hugging Face layout. It learns in a second and can be
// loaded, tuned and served like any other.
package tinymodel

import (
	"fmt"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/models/catalog/pebble"
)

// Context is the number of positions of the model.
const Context = 256

// Write writes the model into dir, which must exist: the same bytes on every machine.
func Write(dir string) error {
	for name, b := range pebble.Files() {
		if name == model.WeightsFile {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	pool := tensor.NewPool(1)
	defer pool.Close()
	m, err := model.New(model.Config{
		Family: "llama", Hidden: 32, FFN: 64, Layers: 2, Heads: 2, KVHeads: 1, HeadSize: 16, Vocab: 8192, Context: Context,
		NormEps: 1e-5, Theta: 10000, Tied: true, DType: model.BFloat16, EOS: []int{8186},
	}, nn.Exec{Pool: pool, Kernel: gemm.Best()})
	if err != nil {
		return fmt.Errorf("tiny model: %w", err)
	}
	defer m.Close()
	m.Init(7)
	return m.Save(dir)
}
