package model

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/durable"
)

// WeightsFile is the name of the file that Save writes the weights to.
const WeightsFile = safetensors.SingleFile

// Load reads the model in dir as float32 masters. The error names a tensor that is missing,
// not known, or not of the shape that config.json promises.
func Load(dir string, exec nn.Exec) (*Model, error) { return load(dir, exec, false) }

func load(dir string, exec nn.Exec, frozen bool) (*Model, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	files, err := openWeights(dir, c)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	m, err := create(c, exec, frozen)
	if err != nil {
		return nil, err
	}
	for _, p := range m.params {
		if err := readWeights(files, p); err != nil {
			m.Close()
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
	}
	return m, nil
}

// Check returns the config of the model in dir after checking that its weights are there,
// every name and shape, without reading them. Errors as of Load.
func Check(dir string) (Config, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return Config{}, err
	}
	files, err := openWeights(dir, c)
	if err != nil {
		return Config{}, err
	}
	return c, files.Close()
}

// openWeights opens the weights of dir and checks every name and shape before anything
// is allocated for them.
func openWeights(dir string, c Config) (*weightFiles, error) {
	set, err := safetensors.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	files := &weightFiles{set, families[c.Family]}
	if err := files.check(c); err != nil {
		files.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return files, nil
}

// weightFiles are the weights of a directory, by the names that the family gives them.
type weightFiles struct {
	*safetensors.Set
	family family
}

// name returns what the files call a tensor: some models have been saved without the part
// of the name that stands for the head, or with one more.
func (f *weightFiles) name(name string) string {
	if _, ok := f.Info(name); ok {
		return name
	}
	for _, p := range f.family.prefixes {
		if rest, ok := strings.CutPrefix(name, p.name); ok {
			if _, ok := f.Info(p.file + rest); ok {
				return p.file + rest
			}
		}
	}
	return name
}

// ReadFloat32 is safetensors.Set's, by the family's names.
func (f *weightFiles) ReadFloat32(name string, dst []float32) error {
	return f.Set.ReadFloat32(f.name(name), dst)
}

func (f *weightFiles) check(c Config) error {
	known := map[string]bool{}
	for _, p := range f.family.weights(c).all() {
		for _, t := range tensorsOf(p) {
			name := f.name(t.Name)
			info, ok := f.Info(name)
			if !ok {
				return fmt.Errorf("tensor %q is missing", name)
			}
			if !slices.Equal(info.Shape, t.Shape) {
				return fmt.Errorf("tensor %q has shape %v, %s promises %v", name, info.Shape, ConfigFile, t.Shape)
			}
			known[name] = true
		}
	}
	for _, name := range f.Names() {
		if !known[name] && !f.family.ignores(name, c) {
			return fmt.Errorf("tensor %q is not known in a %s model", name, c.Family)
		}
	}
	return nil
}

// tensorsOf returns the tensors of the file that make up p, without data.
func tensorsOf(p *nn.Param) []safetensors.Tensor {
	parts := p.Parts
	if parts == nil {
		parts = []nn.Part{{Name: p.Name, Rows: p.Len() / rowLen(p)}}
	}
	var ts []safetensors.Tensor
	for _, part := range parts {
		ts = append(ts, safetensors.Tensor{Name: part.Name, Shape: fileShape(p, part.Rows)})
	}
	return ts
}

// readParam reads the tensors of p into w, one after another.
func readParam(files interface{ ReadFloat32(string, []float32) error }, p *nn.Param, w []float32) error {
	for _, t := range tensorsOf(p) {
		n := elements(t.Shape)
		if err := files.ReadFloat32(t.Name, w[:n]); err != nil {
			return err
		}
		fromFile(p, w[:n])
		w = w[n:]
	}
	return nil
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Save writes config.json and model.safetensors into dir, which must exist, each durably.
// Matrices are rounded to the config's DType; norms, which are few, stay float32, so that
// serving computes what training computed. A model whose weights are frozen has nothing to
// save but its adapters: that is an error.
func (m *Model) Save(dir string) error {
	if m.frozen {
		return fmt.Errorf("the weights of the model are frozen: save its adapter, or merge that into the model")
	}
	b, err := families[m.Family].marshal(m.Config)
	if err != nil {
		return err
	}
	if err := durable.WriteBytes(filepath.Join(dir, ConfigFile), 0o644, append(b, '\n')); err != nil {
		return err
	}
	return safetensors.WriteFile(filepath.Join(dir, WeightsFile), m.tensors())
}

func (m *Model) tensors() []safetensors.Tensor {
	return tensorsWithData(m.params, m.halves)
}

// tensorsWithData returns the tensors of the file that make up ps, as bfloat16 if halves
// says so.
func tensorsWithData(ps []*nn.Param, halves func(*nn.Param) bool) []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, p := range ps {
		ts := fileTensors(p, p.W)
		for i := range ts {
			if halves(p) {
				ts[i].DType = safetensors.BF16
			}
		}
		out = append(out, ts...)
	}
	return out
}

// Gradients returns the gradients of what is trained as Save would write the weights: by
// the names, the shapes and the order of the file, in float32.
func (m *Model) Gradients() []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, p := range m.trainable {
		if p.G != nil {
			out = append(out, fileTensors(p, p.G)...)
		}
	}
	return out
}
