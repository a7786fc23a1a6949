package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/durable"
)

// The names in a checkpoint. The package comment draws the whole.
const (
	stepPrefix   = "step-"
	tensorsFile  = "state.safetensors"
	stateFile    = "state.json"
	manifestFile = "manifest.json"

	// checkpointsKept is how many are kept: the newest, and one in case it is damaged.
	checkpointsKept = 2
	// stateBytesMax bounds state.json: 200 bytes a step for twice the steps that the largest job
	// has, ten epochs of a million rows one by one.
	stateBytesMax = 4 << 30
)

// state is what a checkpoint holds besides tensors. Batches and learning rates are pure
// functions of the step, so it is the data cursor and the random generator in one.
type state struct {
	Step    int      `json:"step"`
	Params  int      `json:"params"`
	History []Result `json:"history"`
}

// Save writes a checkpoint into dir, which is made if need be, and removes all but the
// newest two. When it returns nil the checkpoint is on disk. One that is there already,
// because this trainer has written or restored it, stays as it is. What a failed save has
// written is removed again: it fills a disk that may be full.
func (t *Trainer) Save(dir string) error {
	step := filepath.Join(dir, t.checkpoint())
	if t.onDisk == step {
		return nil
	}
	if err := t.save(dir, step); err != nil {
		return fmt.Errorf("save a checkpoint of step %d: %w", t.step, errors.Join(err, os.RemoveAll(step)))
	}
	t.onDisk = step
	return removeOld(dir, filepath.Base(step))
}

// checkpoint is the name of the directory for the trainer's step.
func (t *Trainer) checkpoint() string { return fmt.Sprintf("%s%08d", stepPrefix, t.step) }

func (t *Trainer) save(dir, step string) error {
	if err := os.RemoveAll(step); err != nil {
		return err
	}
	if err := os.MkdirAll(step, 0o755); err != nil {
		return err
	}
	if err := safetensors.WriteFile(filepath.Join(step, tensorsFile), t.tensors()); err != nil {
		return err
	}
	b, err := json.Marshal(state{t.step, t.opt.trained(), t.history})
	if err != nil {
		return err
	}
	if err := durable.WriteBytes(filepath.Join(step, stateFile), 0o644, b); err != nil {
		return err
	}
	if err := writeManifest(step, tensorsFile, stateFile); err != nil {
		return err
	}
	return durable.SyncDir(dir)
}

// tensors returns the weights and moments under the names of the parameters.
func (t *Trainer) tensors() []safetensors.Tensor {
	var out []safetensors.Tensor
	for i, p := range t.opt.params {
		shape := []int{p.Rows, p.Cols}
		out = append(out,
			safetensors.Tensor{Name: p.Name, DType: safetensors.F32, Shape: shape, Data: p.W},
			safetensors.Tensor{Name: "m." + p.Name, DType: safetensors.F32, Shape: shape, Data: t.opt.m[i]},
			safetensors.Tensor{Name: "v." + p.Name, DType: safetensors.F32, Shape: shape, Data: t.opt.v[i]})
	}
	return out
}

func writeManifest(dir string, files ...string) error {
	sums := map[string]string{}
	for _, f := range files {
		sum, _, err := durable.SHA256(filepath.Join(dir, f))
		if err != nil {
			return err
		}
		sums[f] = sum
	}
	b, err := json.Marshal(sums)
	if err != nil {
		return err
	}
	return durable.WriteBytes(filepath.Join(dir, manifestFile), 0o644, b)
}

// Restore puts the newest checkpoint of dir that is whole into the trainer. It returns
// what is wrong with newer ones that were passed over; none at all is not an error, the
// run then begins at step 0. Errors: a checkpoint of another model, a failing disk.
func (t *Trainer) Restore(dir string) (passedOver []error, err error) {
	steps, err := checkpoints(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(steps) {
		err := verify(filepath.Join(dir, name))
		if err == nil {
			if err := t.load(filepath.Join(dir, name)); err != nil {
				return passedOver, fmt.Errorf("restore %s: %w", name, err)
			}
			t.onDisk = filepath.Join(dir, name)
			return passedOver, nil
		}
		passedOver = append(passedOver, fmt.Errorf("checkpoint %s is damaged: %w", name, err))
	}
	return passedOver, nil
}

// checkpoints returns the names of the checkpoint directories, the oldest first.
func checkpoints(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), stepPrefix) {
			names = append(names, e.Name())
		}
	}
	return names, err // ReadDir sorts
}

// verify compares the files with the manifest.
func verify(dir string) error {
	b, err := readLimited(filepath.Join(dir, manifestFile))
	if err != nil {
		return err
	}
	var sums map[string]string
	if err := json.Unmarshal(b, &sums); err != nil {
		return fmt.Errorf("%s: %w", manifestFile, err)
	}
	for _, f := range []string{tensorsFile, stateFile} {
		sum, _, err := durable.SHA256(filepath.Join(dir, f))
		if err != nil {
			return err
		}
		if sum != sums[f] {
			return fmt.Errorf("%s has another SHA-256 than the manifest says", f)
		}
	}
	return nil
}

func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, stateBytesMax))
}

func (t *Trainer) load(dir string) error {
	b, err := readLimited(filepath.Join(dir, stateFile))
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s.Params != t.opt.trained() || s.Step != len(s.History) {
		return fmt.Errorf("it is of a run that trains %d numbers, after %d steps, not of this one with %d", s.Params, s.Step, t.opt.trained())
	}
	f, err := safetensors.Open(filepath.Join(dir, tensorsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, x := range t.tensors() {
		if info, ok := f.Info(x.Name); !ok || !slices.Equal(info.Shape, x.Shape) {
			return fmt.Errorf("tensor %q is missing or of another shape", x.Name)
		}
		if err := f.ReadFloat32(x.Name, x.Data); err != nil {
			return err
		}
	}
	t.step, t.history = s.Step, s.History
	return nil
}

// removeOld removes all but the newest checkpoints up to newest, which was just written.
// Those of later steps are damaged, or a run that began again would have gone on from them;
// those without a manifest were cut off. Neither may take the place of a whole one.
func removeOld(dir, newest string) error {
	names, err := checkpoints(dir)
	if err != nil {
		return err
	}
	kept := 0
	for _, name := range slices.Backward(names) {
		if name <= newest && kept < checkpointsKept && sealed(filepath.Join(dir, name)) {
			kept++
			continue
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
	}
	return err
}

// sealed reports whether a checkpoint was written to its end.
func sealed(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, manifestFile))
	return err == nil
}
