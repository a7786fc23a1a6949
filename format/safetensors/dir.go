package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"outcrop.dev/outcrop/internal/durable"
)

// The file names of a Hugging Face model directory.
const (
	SingleFile = "model.safetensors"
	IndexFile  = "model.safetensors.index.json"
	Suffix     = ".safetensors" // of every file of weights
)

// IndexBytesMax is the longest index read: a name of 200 characters for each of 300,000 tensors.
const IndexBytesMax = 64 << 20

// ShardsMax is the most files of one model; the largest published ones have about 200.
const ShardsMax = 1000

// Set is the open weights of a model directory, in one file or several. Its methods may be
// called from several goroutines.
type Set struct {
	files  []*File
	byName map[string]*File
}

// OpenDir opens model.safetensors of dir or, if there is none, the files that
// model.safetensors.index.json names. The error satisfies errors.Is(err, fs.ErrNotExist) if
// the directory has neither. An index that names a file outside dir, a tensor that its file
// lacks, or not all the tensors of its files, is refused.
func OpenDir(dir string) (*Set, error) {
	single := filepath.Join(dir, SingleFile)
	if f, err := Open(single); err == nil {
		return newSet(f)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	index, err := readIndex(filepath.Join(dir, IndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noWeights(dir)
	}
	if err != nil {
		return nil, err
	}
	s, err := openShards(dir, index)
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func noWeights(dir string) error {
	return fmt.Errorf("%s has no weights, neither %s nor %s: %w", dir, SingleFile, IndexFile, fs.ErrNotExist)
}

func readIndex(path string) (weightMap map[string]string, err error) {
	f, err := durable.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, IndexBytesMax+1))
	if err != nil {
		return nil, err
	}
	weightMap, err = ParseIndex(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return weightMap, nil
}

// ParseIndex reads the content of an index: the file of each tensor. Every file is a plain
// name in the index's own directory.
func ParseIndex(b []byte) (weightMap map[string]string, err error) {
	if len(b) > IndexBytesMax {
		return nil, fmt.Errorf("longer than %d bytes", IndexBytesMax)
	}
	var index struct { // old writers put a float into metadata.total_size: it is not read
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, err
	}
	if len(index.WeightMap) == 0 {
		return nil, errors.New("weight_map is missing or empty")
	}
	names := shardNames(index.WeightMap)
	if len(names) > ShardsMax {
		return nil, fmt.Errorf("%d files are more than %d", len(names), ShardsMax)
	}
	for _, name := range names {
		if err := checkShardName(name); err != nil {
			return nil, err
		}
	}
	return index.WeightMap, nil
}

// openShards returns what it has opened also with an error, for the caller to close.
func openShards(dir string, weightMap map[string]string) (*Set, error) {
	s := &Set{byName: make(map[string]*File, len(weightMap))}
	shards := map[string]*File{}
	for _, name := range shardNames(weightMap) {
		f, err := Open(filepath.Join(dir, name))
		if err != nil {
			return s, err
		}
		shards[name] = f
		s.files = append(s.files, f)
	}
	for _, tensor := range sortedKeys(weightMap) {
		f := shards[weightMap[tensor]]
		if _, ok := f.Info(tensor); !ok {
			return s, fmt.Errorf("%s: tensor %q is not in %s", IndexFile, tensor, weightMap[tensor])
		}
		s.byName[tensor] = f
	}
	return s, s.checkIndexed()
}

// checkIndexed refuses tensors that no index entry points at: they would be dropped silently.
func (s *Set) checkIndexed() error {
	for _, f := range s.files {
		for _, t := range f.tensors {
			if s.byName[t.Name] != f {
				return fmt.Errorf("%s: tensor %q is in a file but not in its index", IndexFile, t.Name)
			}
		}
	}
	return nil
}

func newSet(f *File) (*Set, error) {
	s := &Set{files: []*File{f}, byName: make(map[string]*File, len(f.tensors))}
	for _, t := range f.tensors {
		s.byName[t.Name] = f
	}
	return s, nil
}

// Names returns the names of all tensors, sorted.
func (s *Set) Names() []string { return sortedKeys(s.byName) }

// Info describes the tensor of that name; ok is false if there is none.
func (s *Set) Info(name string) (info Info, ok bool) {
	f, ok := s.byName[name]
	if !ok {
		return Info{}, false
	}
	return f.Info(name)
}

// ReadFloat32 is File.ReadFloat32 on the file that holds the tensor.
func (s *Set) ReadFloat32(name string, dst []float32) error {
	f, err := s.reader(name)
	if err != nil {
		return err
	}
	return f.ReadFloat32(name, dst)
}

// ReadFloat32At is File.ReadFloat32At on the file that holds the tensor.
func (s *Set) ReadFloat32At(name string, first int, dst []float32) error {
	f, err := s.reader(name)
	if err != nil {
		return err
	}
	return f.ReadFloat32At(name, first, dst)
}

func (s *Set) reader(name string) (*File, error) {
	f, ok := s.byName[name]
	if !ok {
		return nil, fmt.Errorf("there is no tensor %q", name)
	}
	return f, nil
}

// Close closes the files. It returns the first error.
func (s *Set) Close() error {
	var first error
	for _, f := range s.files {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
