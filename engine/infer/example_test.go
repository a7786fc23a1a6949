package infer_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/infer"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/internal/tinymodel"
)

// A model answers, piece by piece.
func Example() {
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
	e := infer.New(infer.Options{
		Exec: nn.Exec{Pool: pool, Kernel: gemm.Best()},
		Seed: func() uint64 { return 1 },
		AfterFunc: func(d time.Duration, f func()) (stop func() bool) {
			return time.AfterFunc(d, f).Stop
		},
	})
	defer e.Close()

	text := ""
	res, err := e.Generate(context.Background(), outcrop.GenerateRequest{
		Model: outcrop.ModelFiles{ID: "acme.tiny-v1", Dir: dir}, Messages: []outcrop.Message{outcrop.Text(outcrop.RoleUser, "Hello")}, MaxTokens: 8, TopP: 1,
	}, func(piece string) error {
		text += piece
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text == res.Text, res.InputTokens)
	// Output: true 3
}
