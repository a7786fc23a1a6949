package train_test

import (
	"fmt"
	"log"
	"os"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/engine/train"
)

// A tiny model learns to count, and its last step is on disk.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	pool := tensor.NewPool(1)
	defer pool.Close()
	exec := nn.Exec{Pool: pool, Kernel: gemm.Best()}
	m, err := model.New(model.Config{
		Family: "llama", Hidden: 32, FFN: 48, Layers: 2, Heads: 4, KVHeads: 2, HeadSize: 8, Vocab: 50,
		Context: 32, NormEps: 1e-5, Theta: 10000, Tied: true, DType: model.BFloat16,
	}, exec)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	m.Init(7)

	var counting []train.Example
	for i := range int32(32) {
		counting = append(counting, train.NewExample([]int32{i, i + 1, i + 2, i + 3}, 1))
	}
	rows := &train.Rows{All: counting, BatchSize: 8, Epochs: 5, Seed: 1}
	t, err := train.New(m, rows, 4, train.FineTune(rows.Steps(), 0.01, 2))
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()
	for !t.Done() {
		if _, err := t.Step(); err != nil {
			log.Fatal(err)
		}
	}
	if err := t.Save(dir); err != nil {
		log.Fatal(err)
	}
	steps := t.History()
	fmt.Println(len(steps), "steps; the loss falls:", steps[len(steps)-1].Loss < steps[0].Loss)
	checkpoints, err := os.ReadDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(checkpoints[0].Name())
	// Output:
	// 20 steps; the loss falls: true
	// step-00000020
}
