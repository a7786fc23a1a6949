// Package export writes models for other programs: a Hugging Face directory for transformers,
// vLLM and whatever reads safetensors, and a GGUF file for llama.cpp and what is built on it.
// It reads model directories and nothing else: it knows no catalog, no server and no AWS.
//
//	report, err := export.GGUF("notes.gguf", dir, export.Options{Name: "notes"})
//	report, err = export.Directory("notes", dir)
//
// A family that has no file of its own here cannot be a GGUF; the error says so by name.
package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/model"
)

// Report says what has been written.
type Report struct {
	Path    string   `json:"path"`
	Tensors int      `json:"tensors"`
	Bytes   int64    `json:"bytes"`
	Notes   []string `json:"notes,omitempty"` // what a reader should know: nothing if it is all as it was
}

// side are the files beside the weights that a Hugging Face directory may have, as
// transformers and the hub name them.
var side = []string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
	"special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json",
	"README.md", "LICENSE", "LICENSE.txt", "NOTICE",
}

// SideFiles returns the names of the files beside the weights that a model directory may
// have, and that describe the model, its tokenizer, its template and its licence.
func SideFiles() []string { return append([]string(nil), side...) }

// ErrExists is returned for a place that is taken: nothing is ever written over.
var ErrExists = errors.New("is there already: remove it, or choose another place")

// Directory copies the model in dir, checked, to a new directory: config, tokenizer, template
// and weights, nothing else. It appears whole or not at all.
func Directory(to, dir string) (Report, error) {
	if _, err := model.Check(dir); err != nil {
		return Report{}, err
	}
	weights, err := safetensors.Files(dir)
	if err != nil {
		return Report{}, err
	}
	r := Report{Path: to}
	err = newDirectory(to, func(temp string) error {
		for _, name := range append(weights, side...) {
			err := durable.CopyFile(filepath.Join(temp, name), filepath.Join(dir, name), 0o644)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return r.measure(temp)
	})
	return r, err
}

// measure counts what lies in a model directory.
func (r *Report) measure(dir string) error {
	set, err := safetensors.OpenDir(dir)
	if err != nil {
		return err
	}
	r.Tensors = len(set.Names())
	if err := set.Close(); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		r.Bytes += info.Size()
	}
	return nil
}

// newDirectory makes the directory to with what fill puts into it, durably. ErrExists if
// there is something of that name.
func newDirectory(to string, fill func(temp string) error) error {
	if err := free(to); err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(to))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(to)+"-*"+durable.TempSuffix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := fill(temp); err != nil {
		return err
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := durable.SyncTree(temp); err != nil {
		return err
	}
	return durable.Rename(temp, filepath.Clean(to))
}

func free(path string) error {
	_, err := os.Lstat(path)
	if err == nil {
		return fmt.Errorf("%s %w", path, ErrExists)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
