package attempt_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/work/attempt"
)

// A model directory is sealed, and what changes afterwards is found.
func ExampleSeal() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	config := filepath.Join(dir, "config.json")
	if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
		log.Fatal(err)
	}
	digest, err := attempt.Seal(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(attempt.Verify(dir, digest))

	if err := os.WriteFile(config, []byte("[]"), 0o600); err != nil {
		log.Fatal(err)
	}
	fmt.Println(attempt.Verify(dir, digest) == nil)
	// Output:
	// <nil>
	// false
}
