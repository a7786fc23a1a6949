package export

import (
	"fmt"

	"outcrop.dev/outcrop/engine/model"
)

// llama is LLM_ARCH_LLAMA: Llama 1 to 3, TinyLlama, SmolLM, Mistral, Pebble.
var llama = architecture{
	name:    "llama",
	keys:    llamaKeys,
	tensors: llamaTensors(true),
	ignored: []string{"model.layers.*.self_attn.rotary_emb.inv_freq"},
}

func llamaKeys(g *conversion) error {
	c := g.config
	if g.rotary() != c.HeadSize {
		return fmt.Errorf("only %d of %d channels of a head are turned, and llama.cpp turns all", g.rotary(), c.HeadSize)
	}
	if c.Scaling.Type != "llama3" {
		return g.rmsKeys()
	}
	// Llama 3.1's frequencies are a table of what to divide the usual ones by.
	g.table("rope_freqs.weight", c.FrequencyDivisors())
	g.config.Scaling = model.Scaling{}
	return g.rmsKeys()
}

// llamaTensors are the tensors of Llama and its descendants. Heads whose rotary pairs stand
// side by side (LLAMA_ROPE_TYPE_NORM) need their rows in another order.
func llamaTensors(paired bool) []rule {
	order := func(heads func(model.Config) int) func(model.Config) change {
		if !paired {
			return nil
		}
		return func(c model.Config) change { return change{order: interleaved(heads(c), c.HeadSize)} }
	}
	return []rule{
		{from: "model.embed_tokens", to: "token_embd"},
		{from: "model.norm", to: "output_norm"},
		{from: "lm_head", to: "output"},
		{from: "model.layers.*.input_layernorm", to: "blk.*.attn_norm"},
		{from: "model.layers.*.self_attn.q_proj", to: "blk.*.attn_q", change: order(func(c model.Config) int { return c.Heads })},
		{from: "model.layers.*.self_attn.k_proj", to: "blk.*.attn_k", change: order(func(c model.Config) int { return c.KVHeads })},
		{from: "model.layers.*.self_attn.v_proj", to: "blk.*.attn_v"},
		{from: "model.layers.*.self_attn.o_proj", to: "blk.*.attn_output"},
		{from: "model.layers.*.post_attention_layernorm", to: "blk.*.ffn_norm"},
		{from: "model.layers.*.mlp.gate_proj", to: "blk.*.ffn_gate"},
		{from: "model.layers.*.mlp.up_proj", to: "blk.*.ffn_up"},
		{from: "model.layers.*.mlp.down_proj", to: "blk.*.ffn_down"},
	}
}
