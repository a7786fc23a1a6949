package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files returns the names in dir that its weights are made of: one, or the index and its
// shards, sorted. Errors as of OpenDir, but for what is in the files.
func Files(dir string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(dir, SingleFile)); err == nil {
		return []string{SingleFile}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	weightMap, err := readIndex(filepath.Join(dir, IndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noWeights(dir)
	}
	if err != nil {
		return nil, err
	}
	return append([]string{IndexFile}, shardNames(weightMap)...), nil
}

func shardNames(weightMap map[string]string) []string {
	names := map[string]bool{}
	for _, name := range weightMap {
		names[name] = true
	}
	return sortedKeys(names)
}

// checkShardName refuses what is not a plain file name in the directory of the index.
func checkShardName(name string) error {
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%q is not a file name in the directory", name)
	}
	return nil
}
