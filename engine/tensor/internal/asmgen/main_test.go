package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCommittedFilesAreCurrent: what is committed is what the generator writes.
func TestCommittedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	for path, generate := range outputs {
		got, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
		if err != nil {
			t.Error(err)
			continue
		}
		if string(got) != generate() {
			t.Errorf("tensor/%s is stale: run `go generate ./engine/tensor/internal/asmgen`", path)
		}
	}
}
