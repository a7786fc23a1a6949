package model

import (
	"maps"
	"slices"
	"strings"

	"outcrop.dev/outcrop/nn"
)

// family is what one model_type adds: its config and the names of its tensors.
type family struct {
	parse   func(b []byte) (Config, error)
	marshal func(Config) ([]byte, error)
	weights func(Config) *weights
}

// families is keyed by model_type.
var families = map[string]family{"llama": llama}

func familyNames() string { return strings.Join(slices.Sorted(maps.Keys(families)), ", ") }

// weights are the parameters of a decoder.
type weights struct {
	embed, norm, head *nn.Param // head is embed if tied
	layers            []nn.Weights
}

// all returns every parameter once, in the order of the forward pass.
func (w *weights) all() []*nn.Param {
	ps := []*nn.Param{w.embed}
	for _, l := range w.layers {
		ps = append(ps, l.Norm1, l.QKV, l.O, l.Norm2, l.GateUp, l.Down)
	}
	ps = append(ps, w.norm)
	if w.head != w.embed {
		ps = append(ps, w.head)
	}
	return ps
}
