package model

import (
	"fmt"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/format/safetensors"
)

// NewFrozen returns a model with all weights zero, which are not trained, as AddLoRA leaves
// them. The caller provides them by Init.
func NewFrozen(c Config, exec nn.Exec) (*Model, error) { return create(c, exec, true) }

// LoadFrozen reads the model in dir with weights that are not trained, as AddLoRA leaves
// them, without ever holding them as float32 masters: two bytes a weight if the config says
// bfloat16. Errors as of Load.
func LoadFrozen(dir string, exec nn.Exec) (*Model, error) {
	return load(dir, exec, true)
}

// freeze turns masters into frozen weights, rounded as Save does.
func (m *Model) freeze() error {
	if m.frozen {
		return nil
	}
	if m.DType != BFloat16 {
		m.frozen = true // they are what the file holds
		return nil
	}
	arena, err := tensor.NewArena(weightBytes(m.Config, m.params, true) + arenaSlack(len(m.params)))
	if err != nil {
		return fmt.Errorf("memory for the frozen weights: %w", err)
	}
	m.exec.Pool.For(len(m.params), func(i, _ int) {
		p := m.params[i]
		w := p.W
		allocate(m.Config, p, arena, true)
		if p.Half != nil {
			tensor.ToBF16s(p.Half, w)
		} else {
			copy(p.W, w)
		}
	})
	masters := m.masters
	m.masters, m.frozen = arena, true
	return masters.Close()
}

// allocate gives p its memory.
func allocate(c Config, p *nn.Param, arena *tensor.Arena, frozen bool) {
	p.W, p.Half = nil, nil
	if frozen && c.halves(p) {
		p.Half = arena.BF16(p.Len())
		return
	}
	p.W = arena.F32(p.Len())
}

// halves tells whether the files of a model hold p as bfloat16.
func (c Config) halves(p *nn.Param) bool { return !p.Vector && c.DType == BFloat16 }

// weightBytes returns the memory of the weights.
func weightBytes(c Config, ps []*nn.Param, frozen bool) (n int) {
	for _, p := range ps {
		size := 4
		if frozen && c.halves(p) {
			size = 2
		}
		n += size * p.Len()
	}
	return n
}

// readWeights reads the tensors of p into its memory.
func readWeights(files *weightFiles, p *nn.Param) error {
	if p.Half == nil {
		return readParam(files, p, p.W)
	}
	half := p.Half
	for _, t := range tensorsOf(p) {
		n := elements(t.Shape)
		if err := safetensors.ReadBF16(files.Set, files.name(t.Name), half[:n]); err != nil {
			return err
		}
		fromFile(p, half[:n])
		half = half[n:]
	}
	return nil
}
