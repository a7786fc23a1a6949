package export

import (
	"math"

	"outcrop.dev/outcrop/engine/model"
)

// phi3 is LLM_ARCH_PHI3: Phi 3, 3.5 and 4 (mini), whose matrices stay stacked.
var phi3 = architecture{
	name: "phi3",
	keys: phi3Keys,
	tensors: append(llamaTensors(false),
		rule{from: "model.layers.*.self_attn.qkv_proj", to: "blk.*.attn_qkv"},
		rule{from: "model.layers.*.mlp.gate_up_proj", to: "blk.*.ffn_up"}),
	ignored: llama.ignored,
}

func phi3Keys(g *conversion) error {
	s := g.config.Scaling
	if s.Type != "longrope" {
		return g.rmsKeys()
	}
	g.config.Scaling = model.Scaling{}
	if err := g.rmsKeys(); err != nil {
		return err
	}
	factor := s.AttentionFactor
	if factor == 0 {
		factor = math.Sqrt(1 + math.Log(s.Factor)/math.Log(float64(s.Original)))
	}
	g.own("rope.scaling.original_context_length", uint32(s.Original))
	g.own("rope.scaling.attn_factor", float32(factor))
	g.table("rope_factors_short.weight", float32s(s.ShortFactor))
	long := s.LongFactor
	if len(long) != len(s.ShortFactor) {
		long = s.ShortFactor
	}
	g.table("rope_factors_long.weight", float32s(long))
	return nil
}

func float32s(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}
