package model

import (
	"fmt"
	"path/filepath"
	"slices"

	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/nn"
)

// WeightsFile is the name of the file that Save writes the weights to.
const WeightsFile = "model.safetensors"

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
func openWeights(dir string, c Config) (*safetensors.Set, error) {
	files, err := safetensors.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	if err := checkWeights(files, c); err != nil {
		files.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return files, nil
}

func checkWeights(files *safetensors.Set, c Config) error {
	known := map[string]bool{}
	for _, p := range families[c.Family].weights(c).all() {
		for _, t := range tensorsOf(p) {
			info, ok := files.Info(t.Name)
			if !ok {
				return fmt.Errorf("tensor %q is missing", t.Name)
			}
			if !slices.Equal(info.Shape, t.Shape) {
				return fmt.Errorf("tensor %q has shape %v, %s promises %v", t.Name, info.Shape, ConfigFile, t.Shape)
			}
			known[t.Name] = true
		}
	}
	for _, name := range files.Names() {
		if !known[name] && !mayIgnore(name, c) {
			return fmt.Errorf("tensor %q is not known in a %s model", name, c.Family)
		}
	}
	return nil
}

// mayIgnore tells tensors that say nothing new: a tied head that is written all the same,
// and the rotary frequencies of old files.
func mayIgnore(name string, c Config) bool {
	if name == "lm_head.weight" {
		return c.Tied
	}
	ok, _ := filepath.Match("model.layers.*.self_attn.rotary_emb.inv_freq", name)
	return ok
}

// tensorsOf returns the tensors of the file that make up p, without data.
func tensorsOf(p *nn.Param) []safetensors.Tensor {
	if p.Vector {
		return []safetensors.Tensor{{Name: p.Name, Shape: []int{p.Cols}}}
	}
	if p.Parts == nil {
		return []safetensors.Tensor{{Name: p.Name, Shape: []int{p.Rows, p.Cols}}}
	}
	var ts []safetensors.Tensor
	for _, part := range p.Parts {
		ts = append(ts, safetensors.Tensor{Name: part.Name, Shape: []int{part.Rows, p.Cols}})
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
		w := p.W
		for _, t := range tensorsOf(p) {
			n := elements(t.Shape)
			t.DType, t.Data = safetensors.F32, w[:n]
			if halves(p) {
				t.DType = safetensors.BF16
			}
			out, w = append(out, t), w[n:]
		}
	}
	return out
}
