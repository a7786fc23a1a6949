package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/durable"
)

// merged writes what the adapter makes of its base: a model like any other, in the base's
// type of numbers. The sum is computed in float32, for which the base's weights are in memory.
func merged(ctx context.Context, to string, from Model) (Report, error) {
	m, err := model.Load(from.Base, from.Exec)
	if err != nil {
		return Report{}, err
	}
	defer m.Close()
	if err := m.Merge(from.Dir); err != nil {
		return Report{}, err
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	r := Report{Path: to}
	err = newDirectory(to, func(temp string) error {
		// The adapter's own tokenizer and template, if it has any, go before the base's.
		for _, dir := range []string{from.Base, from.Dir} {
			if err := copySide(ctx, temp, dir); err != nil {
				return err
			}
		}
		if err := wholeCard(filepath.Join(temp, "README.md")); err != nil {
			return err
		}
		if err := m.Save(temp); err != nil {
			return err
		}
		return r.measure(temp)
	})
	return r, err
}

// wholeCard makes an adapter's card, if there is one, that of a model with all weights: the
// hub shows by library_name how to load it.
func wholeCard(path string) error {
	card, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	whole := bytes.Replace(card, []byte("\nlibrary_name: peft\n"), []byte("\nlibrary_name: transformers\n"), 1)
	return durable.WriteBytes(path, 0o644, whole)
}

// Adapter copies an adapter, checked against its base, to a new directory as PEFT has them,
// with the tokenizer and the template if they lie beside it.
func Adapter(ctx context.Context, to string, m Model) (Report, error) {
	if m.Base == "" {
		return Report{}, fmt.Errorf("%s has no adapter: all its weights were trained", m.Dir)
	}
	c, err := model.ReadConfig(m.Base)
	if err != nil {
		return Report{}, err
	}
	if _, err := model.CheckAdapter(m.Dir, c); err != nil {
		return Report{}, err
	}
	r := Report{Path: to}
	err = newDirectory(to, func(temp string) error {
		for _, name := range []string{model.AdapterConfigFile, model.AdapterWeightsFile} {
			if err := durable.CopyFileContext(ctx, filepath.Join(temp, name), filepath.Join(m.Dir, name), 0o644); err != nil {
				return err
			}
		}
		if err := copySide(ctx, temp, m.Dir); err != nil {
			return err
		}
		f, err := safetensors.Open(filepath.Join(temp, model.AdapterWeightsFile))
		if err != nil {
			return err
		}
		r.Tensors = len(f.Tensors())
		return errors.Join(f.Close(), r.size(temp))
	})
	return r, err
}

// copySide copies the files beside the weights that dir has.
func copySide(ctx context.Context, to, dir string) error {
	for _, name := range side {
		err := durable.CopyFileContext(ctx, filepath.Join(to, name), filepath.Join(dir, name), 0o644)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// size adds up the files of a directory.
func (r *Report) size(dir string) error {
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
