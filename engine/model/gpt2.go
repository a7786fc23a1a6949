package model

import (
	"fmt"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor/act"
)

// gpt2 is the family of GPT-2: LayerNorm, learned positions, biases everywhere, one matrix
// before the activation. Its files have matrices as (in,out), and those of the first models
// lack the first part of each name.
var gpt2 = family{
	parse:   parseGPT2,
	marshal: marshalGPT2,
	weights: gpt2Weights,
	shape: func(c Config) nn.Shape {
		return nn.Shape{Norm: nn.NormShape{Kind: nn.LayerNorm}, Act: activations[c.Act]}
	},
	prefixes: []prefix{{"transformer.", ""}},
	ignored:  []string{"*.attn.bias", "*.attn.masked_bias"}, // the causal mask
}

// gpt2File is config.json as transformers' GPT2Config writes it.
type gpt2File struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	Hidden        int      `json:"n_embd"`
	FFN           *int     `json:"n_inner"` // null means four times n_embd
	Layers        int      `json:"n_layer"`
	Heads         int      `json:"n_head"`
	Vocab         int      `json:"vocab_size"`
	Context       int      `json:"n_positions"`
	NormEps       float64  `json:"layer_norm_epsilon"`
	Act           string   `json:"activation_function"`
	Scaled        bool     `json:"scale_attn_weights"`
	ByLayer       bool     `json:"scale_attn_by_inverse_layer_idx"`
	Tied          bool     `json:"tie_word_embeddings"`
	tokens
	dtypes
}

func parseGPT2(b []byte) (Config, error) {
	f := gpt2File{
		Hidden: 768, Layers: 12, Heads: 12, Vocab: 50257, Context: 1024, NormEps: 1e-5, Act: "gelu_new",
		Scaled: true, Tied: true, // transformers' defaults
	}
	if err := parseStrict(b, &f); err != nil {
		return Config{}, err
	}
	if f.Heads < 1 || f.Hidden%f.Heads != 0 {
		return Config{}, fmt.Errorf("n_embd (%d) must be a multiple of n_head (%d)", f.Hidden, f.Heads)
	}
	c := Config{
		Family: "gpt2", Hidden: f.Hidden, FFN: or(f.FFN, 4*f.Hidden), Layers: f.Layers, Heads: f.Heads, KVHeads: f.Heads,
		HeadSize: f.Hidden / f.Heads, Vocab: f.Vocab, Context: f.Context, NormEps: f.NormEps, ScaleByLayer: f.ByLayer, Act: f.Act,
		QKVBias: true, OBias: true, FFNBias: true,
		Tied: f.Tied, DType: f.dtypes.value(), BOS: f.BOS, EOS: f.EOS, Pad: f.Pad,
	}
	if !f.Scaled {
		c.QueryScale = 1
	}
	return c, checkActivation("activation_function", f.Act, act.GELUTanh, act.GELU, act.SiLU)
}

func marshalGPT2(c Config) ([]byte, error) {
	return marshal(gpt2File{
		Architectures: []string{"GPT2LMHeadModel"}, ModelType: "gpt2", Hidden: c.Hidden, FFN: &c.FFN, Layers: c.Layers,
		Heads: c.Heads, Vocab: c.Vocab, Context: c.Context, NormEps: c.NormEps, Act: c.Act,
		Scaled: c.QueryScale == 0, ByLayer: c.ScaleByLayer, Tied: c.Tied,
		tokens: c.tokens(), dtypes: dtypes{DType: string(c.DType)},
	})
}

func gpt2Weights(c Config) *weights {
	w := &weights{
		embed:     nn.NewParam("transformer.wte.weight", c.Vocab, c.Hidden),
		positions: nn.NewParam("transformer.wpe.weight", c.Context, c.Hidden),
		norm:      layerNorm("transformer.ln_f", c.Hidden),
	}
	w.head = w.embed
	if !c.Tied {
		w.head = nn.NewParam("lm_head.weight", c.Vocab, c.Hidden)
	}
	for i := range c.Layers {
		p := fmt.Sprintf("transformer.h.%d.", i)
		w.layers = append(w.layers, nn.Weights{
			Norm1:  layerNorm(p+"ln_1", c.Hidden),
			QKV:    conv1D(p+"attn.c_attn", 3*c.Hidden, c.Hidden),
			O:      conv1D(p+"attn.c_proj", c.Hidden, c.Hidden),
			Norm2:  layerNorm(p+"ln_2", c.Hidden),
			GateUp: conv1D(p+"mlp.c_fc", c.FFN, c.Hidden),
			Down:   conv1D(p+"mlp.c_proj", c.Hidden, c.FFN),
		})
	}
	return w
}

// conv1D is a linear layer as transformers' Conv1D keeps it: (in,out).
func conv1D(name string, out, in int) nn.Linear {
	l := linear(name, out, in, true)
	l.W.Transposed = true
	return l
}
