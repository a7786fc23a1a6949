package export

import "outcrop.dev/outcrop/model"

// llamaArchitecture is LLM_ARCH_LLAMA: Llama 1 to 3, TinyLlama, SmolLM, Pebble.
var llamaArchitecture = architecture{
	name: "llama",
	keys: func(g *conversion) error {
		g.decoderKeys()
		g.own("attention.layer_norm_rms_epsilon", float32(g.config.NormEps))
		g.ropeKeys()
		return nil
	},
	tensors: []rule{
		{from: "model.embed_tokens", to: "token_embd"},
		{from: "model.norm", to: "output_norm"},
		{from: "lm_head", to: "output"},
		{from: "model.layers.*.input_layernorm", to: "blk.*.attn_norm"},
		{from: "model.layers.*.self_attn.q_proj", to: "blk.*.attn_q", change: func(c model.Config) change {
			return change{order: interleaved(c.Heads, c.HeadSize)}
		}},
		{from: "model.layers.*.self_attn.k_proj", to: "blk.*.attn_k", change: func(c model.Config) change {
			return change{order: interleaved(c.KVHeads, c.HeadSize)}
		}},
		{from: "model.layers.*.self_attn.v_proj", to: "blk.*.attn_v"},
		{from: "model.layers.*.self_attn.o_proj", to: "blk.*.attn_output"},
		{from: "model.layers.*.post_attention_layernorm", to: "blk.*.ffn_norm"},
		{from: "model.layers.*.mlp.gate_proj", to: "blk.*.ffn_gate"},
		{from: "model.layers.*.mlp.up_proj", to: "blk.*.ffn_up"},
		{from: "model.layers.*.mlp.down_proj", to: "blk.*.ffn_down"},
	},
	ignore: []string{"model.layers.*.self_attn.rotary_emb.inv_freq"},
}

// decoderKeys are those of every architecture.
func (g *conversion) decoderKeys() {
	c := g.config
	g.own("context_length", uint32(c.Context))
	g.own("embedding_length", uint32(c.Hidden))
	g.own("block_count", uint32(c.Layers))
	g.own("feed_forward_length", uint32(c.FFN))
	g.own("attention.head_count", uint32(c.Heads))
	g.own("attention.head_count_kv", uint32(c.KVHeads))
	g.own("vocab_size", uint32(c.Vocab))
}

// ropeKeys are those of the families that turn whole heads.
func (g *conversion) ropeKeys() {
	c := g.config
	g.own("attention.key_length", uint32(c.HeadSize))
	g.own("attention.value_length", uint32(c.HeadSize))
	g.own("rope.dimension_count", uint32(c.HeadSize))
	g.own("rope.freq_base", float32(c.Theta))
}
