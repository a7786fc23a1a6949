package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop/internal/durable"
)

// ShardBytesMax is the size above which WriteDir begins another file: what transformers'
// save_pretrained and the Hugging Face hub use (max_shard_size).
const ShardBytesMax = 5_000_000_000

// WriteDir writes the tensors into dir as model.safetensors or, if they take more than
// shardBytes (ShardBytesMax but for tests), as several files with an index that OpenDir and
// transformers read. A tensor is never cut: one that is larger has a file to itself. Each file
// is durable; the directory is whole when the call returns, and weights that it held before
// in the other form are gone. Errors as of Write.
func WriteDir(dir string, tensors []Tensor, shardBytes int64) error {
	shards := cut(tensors, shardBytes)
	if len(shards) > ShardsMax {
		return fmt.Errorf("%d files of %d bytes are more than %d: write larger ones", len(shards), shardBytes, ShardsMax)
	}
	if len(shards) == 1 {
		if err := WriteFile(filepath.Join(dir, SingleFile), tensors); err != nil {
			return err
		}
		return removeOthers(dir, []string{SingleFile})
	}
	index := shardIndex{WeightMap: map[string]string{}}
	keep := []string{IndexFile}
	for i, shard := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		if err := index.add(name, shard); err != nil {
			return err
		}
		if err := WriteFile(filepath.Join(dir, name), shard); err != nil {
			return err
		}
		keep = append(keep, name)
	}
	b, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteBytes(filepath.Join(dir, IndexFile), 0o644, append(b, '\n')); err != nil {
		return err
	}
	return removeOthers(dir, keep)
}

// shardIndex is the content of an IndexFile.
type shardIndex struct {
	Metadata struct {
		TotalSize int64 `json:"total_size"` // bytes of tensor data
	} `json:"metadata"`
	WeightMap map[string]string `json:"weight_map"`
}

func (x *shardIndex) add(file string, tensors []Tensor) error {
	for _, t := range tensors {
		if other, taken := x.WeightMap[t.Name]; taken {
			return fmt.Errorf("tensor name %q is taken in %s", t.Name, other)
		}
		x.WeightMap[t.Name] = file
		x.Metadata.TotalSize += t.bytes()
	}
	return nil
}

func (t *Tensor) bytes() int64 { return int64(len(t.Data)) * elementBytes[t.DType] }

// cut deals the tensors out in their order, opening another shard when one is full.
func cut(tensors []Tensor, shardBytes int64) (shards [][]Tensor) {
	begin, size := 0, int64(0)
	for i := range tensors {
		n := tensors[i].bytes()
		if i > begin && size+n > shardBytes {
			shards = append(shards, tensors[begin:i])
			begin, size = i, 0
		}
		size += n
	}
	return append(shards, tensors[begin:])
}

// removeOthers removes what an earlier model of another form or number of files left: a
// reader would take model.safetensors before any index.
func removeOthers(dir string, keep []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	removed := false
	for _, e := range entries {
		shard, _ := filepath.Match("model-?????-of-?????.safetensors", e.Name())
		if !shard && e.Name() != SingleFile && e.Name() != IndexFile || slices.Contains(keep, e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return durable.SyncDir(dir)
}

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
