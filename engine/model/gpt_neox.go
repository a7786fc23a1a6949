package model

import (
	"fmt"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor/act"
)

// gptNeoX is the family of GPT-NeoX, Pythia and their relatives: LayerNorm, attention and
// feed-forward layer side by side, a part of each head turned, biases. Its files have the
// rows of queries, keys and values head by head.
var gptNeoX = family{
	parse:   parseGPTNeoX,
	marshal: marshalGPTNeoX,
	weights: gptNeoXWeights,
	shape: func(c Config) nn.Shape {
		return nn.Shape{Norm: nn.NormShape{Kind: nn.LayerNorm}, Act: activations[c.Act], Parallel: c.Parallel}
	},
	ignored: []string{ // the causal mask, and the frequencies of old files
		"gpt_neox.layers.*.attention.bias", "gpt_neox.layers.*.attention.masked_bias",
		"gpt_neox.layers.*.attention.rotary_emb.inv_freq",
	},
}

// gptNeoXFile is config.json as transformers' GPTNeoXConfig writes it.
type gptNeoXFile struct {
	standard
	NormEps       float64  `json:"layer_norm_eps"`
	Part          *float64 `json:"rotary_pct"`
	Base          *float64 `json:"rotary_emb_base"`
	Parallel      bool     `json:"use_parallel_residual"`
	AttentionBias bool     `json:"attention_bias"`
}

func parseGPTNeoX(b []byte) (Config, error) {
	part := 0.25
	f := gptNeoXFile{
		standard: standard{Act: "gelu", Context: 2048, partial: true}, NormEps: 1e-5, Part: &part,
		Parallel: true, AttentionBias: true, // transformers' defaults
	}
	if err := parseStrict(b, &f); err != nil {
		return Config{}, err
	}
	if f.Heads < 1 || f.Hidden%f.Heads != 0 {
		return Config{}, fmt.Errorf("hidden_size (%d) must be a multiple of num_attention_heads (%d)", f.Hidden, f.Heads)
	}
	f.KVHeads, f.HeadSize, f.standard.NormEps = nil, nil, &f.NormEps
	f.standard.Theta, f.standard.Partial = f.Base, f.Part
	c, err := f.config(false)
	if err != nil {
		return Config{}, err
	}
	c.QKVBias, c.OBias, c.FFNBias, c.Parallel = f.AttentionBias, f.AttentionBias, true, f.Parallel
	c.Act = f.Act
	return c, checkActivation("hidden_act", f.Act, act.GELU, act.GELUTanh, act.SiLU)
}

func marshalGPTNeoX(c Config) ([]byte, error) {
	f := gptNeoXFile{
		standard: newStandard(c, "GPTNeoXForCausalLM"), NormEps: c.NormEps, Part: partOf(c.rotary(), c.HeadSize), Base: &c.Theta,
		Parallel: c.Parallel, AttentionBias: c.OBias,
	}
	f.KVHeads, f.HeadSize, f.standard.NormEps, f.standard.Theta, f.Act = nil, nil, nil, nil, c.Act
	return marshal(f)
}

func gptNeoXWeights(c Config) *weights {
	w := &weights{
		embed: nn.NewParam("gpt_neox.embed_in.weight", c.Vocab, c.Hidden),
		norm:  layerNorm("gpt_neox.final_layer_norm", c.Hidden),
	}
	w.head = w.embed
	if !c.Tied {
		w.head = nn.NewParam("embed_out.weight", c.Vocab, c.Hidden)
	}
	for i := range c.Layers {
		p := fmt.Sprintf("gpt_neox.layers.%d.", i)
		l := nn.Weights{
			Norm1:  layerNorm(p+"input_layernorm", c.Hidden),
			QKV:    linear(p+"attention.query_key_value", 3*c.Hidden, c.Hidden, c.QKVBias),
			O:      linear(p+"attention.dense", c.Hidden, c.Hidden, c.OBias),
			Norm2:  layerNorm(p+"post_attention_layernorm", c.Hidden),
			GateUp: linear(p+"mlp.dense_h_to_4h", c.FFN, c.Hidden, true),
			Down:   linear(p+"mlp.dense_4h_to_h", c.Hidden, c.FFN, true),
		}
		if l.QKV.W.Order = c.headByHead; l.QKV.Bias != nil {
			l.QKV.Bias.Order = c.headByHead
		}
		w.layers = append(w.layers, l)
	}
	return w
}

// headByHead returns where a file that has query, key and value of a head side by side has
// row r of all queries, all keys and all values.
func (c Config) headByHead(r int) int {
	kind, channel := r/(c.Heads*c.HeadSize), r%(c.Heads*c.HeadSize)
	return channel/c.HeadSize*3*c.HeadSize + kind*c.HeadSize + channel%c.HeadSize
}
