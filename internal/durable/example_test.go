package durable_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/internal/durable"
)

// When WriteBytes returns, the file is on disk whole, whatever happens to the machine.
func ExampleWriteBytes() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	path := filepath.Join(dir, "state.json")
	if err := durable.WriteBytes(path, 0o600, []byte("{}")); err != nil {
		log.Fatal(err)
	}
	sum, size, err := durable.SHA256(path)
	fmt.Println(sum[:8], size, err)
	// Output: 44136fa3 2 <nil>
}
