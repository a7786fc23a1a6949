package model_test

import (
	"fmt"
	"log"
	"os"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/internal/tinymodel"
)

// A model in a directory reads a prompt, and says what may come next.
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
	exec := nn.Exec{Pool: pool, Kernel: gemm.Best()}

	s, err := model.LoadServing(dir, exec)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	session, err := s.NewSession(16)
	if err != nil {
		log.Fatal(err)
	}
	logits, err := s.Forward([]model.Step{{Session: session, Tokens: []int32{1, 2, 3}}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Family, session.Len(), len(logits) == s.Vocab)
	// Output: llama 3 true
}
