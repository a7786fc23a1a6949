package model

import (
	"fmt"
	"math"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor/act"
)

// phi3 is the family of Phi 3, 3.5 and 4 (mini): Llama's block, of which the file has the
// stacked matrices, a window in every layer, and perhaps a part of each head only turned.
//
// Models with long positions ("longrope") turn by other frequencies in documents longer
// than the positions that they had at first; here no document may be longer than those.
var phi3 = family{
	parse:   parsePhi3,
	marshal: marshalPhi3,
	weights: func(c Config) *weights { return standardWeights(c, phi3Layer) },
	shape:   gatedSiLU,
	ignored: llama.ignored,
}

// phi3File is config.json as transformers' Phi3Config writes it.
type phi3File struct {
	standard
	Window   *int `json:"sliding_window"`
	Original int  `json:"original_max_position_embeddings"`
}

func parsePhi3(b []byte) (Config, error) {
	eps := 1e-5
	f := phi3File{standard: standard{Act: "silu", Context: 4096, NormEps: &eps, partial: true}, Original: 4096}
	if err := parseStrict(b, &f); err != nil {
		return Config{}, err
	}
	c, err := f.config(false)
	if err != nil {
		return Config{}, err
	}
	if err := c.setWindow(f.Window); err != nil {
		return Config{}, err
	}
	if err := f.longRope(&c); err != nil {
		return Config{}, err
	}
	return c, checkActivation("hidden_act", f.Act, act.SiLU)
}

// longRope limits documents to the positions that the model had at first.
func (f *phi3File) longRope(c *Config) error {
	s := &c.Scaling
	switch s.Type {
	case scalingNone:
		return nil
	case scalingYarn: // what early files call it
		s.Type = scalingLongRope
	case scalingLongRope:
	default:
		return fmt.Errorf("rope_scaling has the type %q, which is not supported in a phi3 model", s.Type)
	}
	if s.Original == 0 {
		s.Original = f.Original
	}
	if s.Factor == 0 {
		s.Factor = float64(c.Context) / float64(max(s.Original, 1))
	}
	c.Context = min(c.Context, s.Original)
	return nil
}

func marshalPhi3(c Config) ([]byte, error) {
	f := phi3File{standard: newStandard(c, "Phi3ForCausalLM"), Window: c.windowOrNil(), Original: c.Context}
	if s := c.Scaling; s.Type == scalingLongRope {
		f.Original, f.Context = s.Original, int(math.Round(s.Factor*float64(s.Original)))
	}
	if c.Rotary != 0 {
		f.Partial = partOf(c.Rotary, c.HeadSize)
	}
	return marshal(f)
}

func phi3Layer(c Config, p string) nn.Weights {
	w, heads := standardLayer(c, p), c.Heads*c.HeadSize
	w.QKV = linear(p+"self_attn.qkv_proj", heads+2*c.KVHeads*c.HeadSize, c.Hidden, false)
	w.O = linear(p+"self_attn.o_proj", c.Hidden, heads, false)
	w.GateUp = linear(p+"mlp.gate_up_proj", 2*c.FFN, c.Hidden, false)
	return w
}
