package customize

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/internal/durable"
)

// mergedDir is where, in the scratch directory, a base model lies that came as adapters.
const mergedDir = "base"

// wholeBase sees to it that the base model is whole: adapters are merged once, in float32, into
// the model that they belong to. It returns the directory.
func (r *run) wholeBase() (string, error) {
	if r.job.BaseDir == "" {
		return r.job.ModelDir, nil
	}
	dir := r.scratch(mergedDir)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return "", err
	}
	if err := r.merge(part); err != nil {
		return "", fmt.Errorf("merge the adapters: %w", err)
	}
	return dir, durable.Rename(part, dir)
}

func (r *run) merge(dir string) (err error) {
	base, err := model.ReadBase(r.job.ModelDir)
	if err != nil {
		return err
	}
	if err := base.Check(r.job.BaseDir); err != nil {
		return err
	}
	m, err := model.Load(r.job.BaseDir, r.Exec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := m.Merge(r.job.ModelDir); err != nil {
		return err
	}
	if err := m.Save(dir); err != nil {
		return err
	}
	return copyCarried(dir, r.job.ModelDir)
}

// copyCarried copies the files that a tuned model keeps of its base, those that there are.
func copyCarried(to, from string) error {
	for _, name := range carried {
		err := durable.CopyFile(filepath.Join(to, name), filepath.Join(from, name), 0o644)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
