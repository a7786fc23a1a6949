package export

import (
	"fmt"

	"outcrop.dev/outcrop/engine/model"
)

// gpt2 is LLM_ARCH_GPT2, whose files have matrices as (in,out).
var gpt2 = architecture{
	name: "gpt2",
	keys: func(g *conversion) error {
		c := g.config
		switch {
		case c.ScaleByLayer || c.QueryScale != 0:
			return fmt.Errorf("scores are scaled otherwise than llama.cpp does for gpt2")
		case !approximate[c.Act]:
			return fmt.Errorf("activation_function is not gelu_new, the only one that llama.cpp's gpt2 has")
		}
		g.decoderKeys()
		g.own("attention.layer_norm_epsilon", float32(c.NormEps))
		return nil
	},
	prefixes: []prefix{{"transformer.", ""}},
	tensors: []rule{
		{from: "wte", to: "token_embd"},
		{from: "wpe", to: "position_embd", exact: true},
		{from: "ln_f", to: "output_norm"},
		{from: "lm_head", to: "output"},
		{from: "h.*.ln_1", to: "blk.*.attn_norm"},
		{from: "h.*.attn.c_attn", to: "blk.*.attn_qkv", change: turned},
		{from: "h.*.attn.c_proj", to: "blk.*.attn_output", change: turned},
		{from: "h.*.ln_2", to: "blk.*.ffn_norm"},
		{from: "h.*.mlp.c_fc", to: "blk.*.ffn_up", change: turned},
		{from: "h.*.mlp.c_proj", to: "blk.*.ffn_down", change: turned},
	},
	ignored: []string{"*.attn.bias", "*.attn.masked_bias"}, // the causal mask
}

// approximate are the names of gelu by tanh, the only one that llama.cpp computes.
var approximate = map[string]bool{"gelu_new": true, "gelu_pytorch_tanh": true, "gelu_fast": true}

func turned(model.Config) change { return change{transposed: true} }
