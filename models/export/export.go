// Package export writes models for other programs: a Hugging Face directory for transformers,
// vLLM and whatever reads safetensors, and a GGUF file for llama.cpp and what is built on it.
// It reads model directories and nothing else: it knows no catalog, no server and no AWS.
//
//	m := export.Model{Dir: dir, Exec: exec}
//	report, err := export.GGUF(ctx, "notes.gguf", m, export.Options{Name: "notes"})
//	report, err = export.Directory(ctx, "notes", m)
//
// A family that has no file of its own here cannot be a GGUF; the error says so by name.
package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/durable"
)

// Model is the files of a model.
type Model struct {
	Dir  string
	Base string     // the directory of the base model, if Dir has a LoRA adapter; else ""
	Exec model.Exec // for merging an adapter
}

// Report says what has been written.
type Report struct {
	Path    string   `json:"path"`
	Tensors int      `json:"tensors"`
	Bytes   int64    `json:"bytes"`
	Notes   []string `json:"notes,omitempty"` // what a reader should know: nothing if it is all as it was
}

// side are the files beside the weights that a Hugging Face directory may have, as
// transformers and the hub name them.
var side = slices.Concat([]string{
	model.ConfigFile, model.GenerationFile, tokenizer.File, "tokenizer.model",
	"added_tokens.json", "vocab.json", "merges.txt", "chat_template.json",
	"README.md",
}, chattemplate.Files, outcrop.LicenceFiles)

// ErrExists is returned for a place that is taken: nothing is ever written over.
var ErrExists = errors.New("is there already: remove it, or choose another place")

// Directory writes the model, checked, as a new directory: config, tokenizer, template and
// weights, nothing else. An adapter is merged into its base. It appears whole or not at all: not
// when ctx ends before, here and in GGUF and Adapter.
func Directory(ctx context.Context, to string, m Model) (Report, error) {
	if m.Base != "" {
		return merged(ctx, to, m)
	}
	if _, err := model.Check(m.Dir); err != nil {
		return Report{}, err
	}
	weights, err := safetensors.Files(m.Dir)
	if err != nil {
		return Report{}, err
	}
	r := Report{Path: to}
	err = newDirectory(to, func(temp string) error {
		for _, name := range weights {
			if err := durable.CopyFileContext(ctx, filepath.Join(temp, name), filepath.Join(m.Dir, name), 0o644); err != nil {
				return err
			}
		}
		if err := copySide(ctx, temp, m.Dir); err != nil {
			return err
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
	return r.size(dir)
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
