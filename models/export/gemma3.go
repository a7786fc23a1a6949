package export

import (
	"fmt"
	"slices"

	"outcrop.dev/outcrop/engine/model"
)

// gemma3 is LLM_ARCH_GEMMA3. Files keep the weights of norms less one. Of a model that sees
// pictures the text model is written.
var gemma3 = architecture{
	name: "gemma3",
	keys: gemma3Keys,
	prefixes: []prefix{
		{"language_model.model.", "model."}, {"model.language_model.", "model."}, {"language_model.lm_head.", "lm_head."},
	},
	tensors: append(slices.DeleteFunc(llamaTensors(false), func(r rule) bool { return isNorm[r.from] }),
		rule{from: "model.norm", to: "output_norm", change: plusOne},
		rule{from: "model.layers.*.input_layernorm", to: "blk.*.attn_norm", change: plusOne},
		rule{from: "model.layers.*.self_attn.q_norm", to: "blk.*.attn_q_norm", change: plusOne},
		rule{from: "model.layers.*.self_attn.k_norm", to: "blk.*.attn_k_norm", change: plusOne},
		rule{from: "model.layers.*.post_attention_layernorm", to: "blk.*.post_attention_norm", change: plusOne},
		rule{from: "model.layers.*.pre_feedforward_layernorm", to: "blk.*.ffn_norm", change: plusOne},
		rule{from: "model.layers.*.post_feedforward_layernorm", to: "blk.*.post_ffw_norm", change: plusOne}),
	ignored: []string{"vision_tower.*", "multi_modal_projector.*", "model.vision_tower.*", "model.multi_modal_projector.*"},
}

// isNorm are the rules of Llama's norms, which Gemma has of its own.
var isNorm = map[string]bool{
	"model.norm": true, "model.layers.*.input_layernorm": true, "model.layers.*.post_attention_layernorm": true,
}

func plusOne(model.Config) change { return change{add: 1} }

// gemma3Fixed is what llama.cpp takes for granted of every Gemma 3.
const (
	gemma3Pattern    = 6 // one layer in so many has no window
	gemma3LocalTheta = 10000
)

func gemma3Keys(g *conversion) error {
	c := g.config
	for i, local := range c.Local {
		if local != ((i+1)%gemma3Pattern != 0) {
			return fmt.Errorf("layer %d: llama.cpp gives a window to all layers but each sixth", i)
		}
	}
	switch {
	case c.LocalTheta != gemma3LocalTheta:
		return fmt.Errorf("rope_local_base_freq is %g, and llama.cpp has %d", c.LocalTheta, gemma3LocalTheta)
	case c.QKVBias || c.OBias:
		return fmt.Errorf("attention_bias is not something that llama.cpp's gemma3 has")
	}
	g.own("attention.sliding_window", uint32(c.Window))
	return g.rmsKeys()
}
