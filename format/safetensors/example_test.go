package safetensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/format/safetensors"
)

// A tensor is written in half the bytes, and read as float32 again.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	err = safetensors.WriteFile(filepath.Join(dir, safetensors.SingleFile), []safetensors.Tensor{
		{Name: "w", DType: safetensors.BF16, Shape: []int{2, 2}, Data: []float32{1, -2, 0.5, 4}},
	})
	if err != nil {
		log.Fatal(err)
	}
	set, err := safetensors.OpenDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	info, _ := set.Info("w")
	w := make([]float32, info.Elements())
	if err := set.ReadFloat32("w", w); err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.DType, info.Shape, w)
	// Output: BF16 [2 2] [1 -2 0.5 4]
}
