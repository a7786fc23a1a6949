package export

import (
	"fmt"

	"outcrop.dev/outcrop/engine/model"
)

// gptNeoX is LLM_ARCH_GPTNEOX: GPT-NeoX, Pythia. Its files have the rows of queries, keys and
// values head by head; llama.cpp wants all queries, all keys, all values.
var gptNeoX = architecture{
	name: "gptneox",
	keys: func(g *conversion) error {
		c := g.config
		switch {
		case !approximate[c.Act] && c.Act != "gelu":
			return fmt.Errorf("hidden_act is %s, and llama.cpp's gptneox has gelu", c.Act)
		case !c.QKVBias || !c.OBias:
			return fmt.Errorf("attention_bias is false, and llama.cpp's gptneox has biases")
		case c.Act == "gelu":
			g.note("llama.cpp computes gelu by an approximation (tanh), which this model was not trained with: answers may differ where two tokens are close")
		}
		if c.Tied { // it does not look for the head in the embedding, and loads no file without one
			head, err := g.source("gpt_neox.embed_in.weight", change{})
			if err != nil {
				return err
			}
			head.Name, head.Type = "output.weight", g.typeOf(head.Shape, false)
			g.tensors = append(g.tensors, head)
		}
		g.decoderKeys()
		g.own("attention.layer_norm_epsilon", float32(c.NormEps))
		g.own("use_parallel_residual", c.Parallel)
		return g.ropeKeys()
	},
	tensors: []rule{
		{from: "gpt_neox.embed_in", to: "token_embd"},
		{from: "gpt_neox.final_layer_norm", to: "output_norm"},
		{from: "embed_out", to: "output"},
		{from: "gpt_neox.layers.*.input_layernorm", to: "blk.*.attn_norm"},
		{from: "gpt_neox.layers.*.attention.query_key_value", to: "blk.*.attn_qkv", change: func(c model.Config) change {
			return change{order: kindByKind(c.Heads, c.HeadSize)}
		}},
		{from: "gpt_neox.layers.*.attention.dense", to: "blk.*.attn_output"},
		{from: "gpt_neox.layers.*.post_attention_layernorm", to: "blk.*.ffn_norm"},
		{from: "gpt_neox.layers.*.mlp.dense_h_to_4h", to: "blk.*.ffn_up"},
		{from: "gpt_neox.layers.*.mlp.dense_4h_to_h", to: "blk.*.ffn_down"},
	},
	ignored: []string{"gpt_neox.layers.*.attention.bias", "gpt_neox.layers.*.attention.masked_bias", "gpt_neox.layers.*.attention.rotary_emb.inv_freq"},
}

// kindByKind is the order of rows (3, heads, headSize) that a file has as (heads, 3, headSize).
func kindByKind(heads, headSize int) []int {
	order := make([]int, 3*heads*headSize)
	for i := range order {
		kind, head, channel := i/(heads*headSize), i/headSize%heads, i%headSize
		order[i] = (head*3+kind)*headSize + channel
	}
	return order
}
