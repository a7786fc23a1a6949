package gguf_test

import (
	"bytes"
	"fmt"
	"log"

	"outcrop.dev/outcrop/format/gguf"
)

// A file of one field and one tensor, written and read.
func Example() {
	data := []float32{1, -2, 0.5, 4}
	var file bytes.Buffer
	err := gguf.Write(&file, []gguf.Field{{Key: "general.architecture", Value: "llama"}}, []gguf.Tensor{{
		Name: "w", Type: gguf.F32, Shape: []int{2, 2},
		Rows: func(dst []float32, first int) error {
			copy(dst, data[2*first:])
			return nil
		},
	}})
	if err != nil {
		log.Fatal(err)
	}
	f, err := gguf.Parse(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	architecture, _ := f.Value("general.architecture")
	w, _ := f.Float32("w")
	fmt.Println(architecture, w)
	// Output: llama [1 -2 0.5 4]
}
