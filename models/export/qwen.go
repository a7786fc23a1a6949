package export

import "fmt"

// qwen2 is LLM_ARCH_QWEN2: Qwen 1.5, 2 and 2.5.
var qwen2 = architecture{
	name:    "qwen2",
	keys:    (*conversion).rmsKeys,
	tensors: llamaTensors(false),
	ignored: llama.ignored,
}

// qwen3 is LLM_ARCH_QWEN3: the dense models.
var qwen3 = architecture{
	name: "qwen3",
	keys: func(g *conversion) error {
		if g.config.QKVBias || g.config.OBias {
			return fmt.Errorf("attention_bias is not something that llama.cpp's qwen3 has")
		}
		return g.rmsKeys()
	},
	tensors: append(llamaTensors(false),
		rule{from: "model.layers.*.self_attn.q_norm", to: "blk.*.attn_q_norm"},
		rule{from: "model.layers.*.self_attn.k_norm", to: "blk.*.attn_k_norm"}),
	ignored: llama.ignored,
}
