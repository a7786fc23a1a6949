package model

import (
	"encoding/json"
	"fmt"

	"outcrop.dev/outcrop/nn"
)

// llama is the family of Llama 1 to 3, TinyLlama, SmolLM and Pebble: RMSNorm, rotary
// embedding, grouped queries, SwiGLU, no biases.
var llama = family{parse: parseLlama, marshal: marshalLlama, weights: llamaWeights}

// llamaConfig is config.json as transformers' LlamaConfig writes it.
type llamaConfig struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	Hidden        int             `json:"hidden_size"`
	FFN           int             `json:"intermediate_size"`
	Layers        int             `json:"num_hidden_layers"`
	Heads         int             `json:"num_attention_heads"`
	KVHeads       *int            `json:"num_key_value_heads"`
	HeadSize      *int            `json:"head_dim"`
	Vocab         int             `json:"vocab_size"`
	Context       int             `json:"max_position_embeddings"`
	NormEps       *float64        `json:"rms_norm_eps"`
	Theta         *float64        `json:"rope_theta"`
	Scaling       json.RawMessage `json:"rope_scaling,omitempty"`
	RopeParams    *ropeParameters `json:"rope_parameters,omitempty"`
	Tied          bool            `json:"tie_word_embeddings"`
	Act           string          `json:"hidden_act"`
	AttentionBias bool            `json:"attention_bias"`
	MLPBias       bool            `json:"mlp_bias"`
	DType         string          `json:"torch_dtype,omitempty"`
	NewDType      string          `json:"dtype,omitempty"`
	BOS           *int            `json:"bos_token_id,omitempty"`
	EOS           tokenIDs        `json:"eos_token_id,omitempty"`
	Pad           *int            `json:"pad_token_id,omitempty"`
}

// ropeParameters is how newer versions of transformers write rope_theta and rope_scaling.
type ropeParameters struct {
	Theta float64 `json:"rope_theta"`
	Type  string  `json:"rope_type"`
}

// tokenIDs is one id or a list of them.
type tokenIDs []int

// UnmarshalJSON accepts a number, a list of numbers, or null.
func (t *tokenIDs) UnmarshalJSON(b []byte) error {
	var one *int
	if json.Unmarshal(b, &one) == nil {
		if one != nil {
			*t = tokenIDs{*one}
		}
		return nil
	}
	var list []int
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("eos_token_id must be a number or a list of numbers")
	}
	*t = list
	return nil
}

// MarshalJSON writes one id as a number.
func (t tokenIDs) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]int(t))
}

func parseLlama(b []byte) (Config, error) {
	l := llamaConfig{Act: "silu", Context: 2048}
	if err := json.Unmarshal(b, &l); err != nil {
		return Config{}, err
	}
	if err := l.supported(); err != nil {
		return Config{}, err
	}
	c := Config{
		Family: "llama", Hidden: l.Hidden, FFN: l.FFN, Layers: l.Layers, Heads: l.Heads, Vocab: l.Vocab,
		Context: l.Context, Tied: l.Tied, DType: l.dtype(), BOS: l.BOS, Pad: l.Pad,
		KVHeads: or(l.KVHeads, l.Heads), NormEps: or(l.NormEps, 1e-6), Theta: or(l.Theta, 10000),
	}
	if l.RopeParams != nil && l.RopeParams.Theta != 0 {
		c.Theta = l.RopeParams.Theta
	}
	if len(l.EOS) > 0 {
		c.EOS = &l.EOS[0]
	}
	switch {
	case l.HeadSize != nil:
		c.HeadSize = *l.HeadSize
	case l.Heads > 0:
		c.HeadSize = l.Hidden / l.Heads
	}
	return c, nil
}

// supported returns an error for what a Llama may ask for and this engine does not do.
func (l *llamaConfig) supported() error {
	switch {
	case l.Act != "silu":
		return fmt.Errorf("hidden_act %q is not supported: only silu is", l.Act)
	case l.AttentionBias || l.MLPBias:
		return fmt.Errorf("attention_bias and mlp_bias are not supported")
	case len(l.Scaling) > 0 && string(l.Scaling) != "null":
		return fmt.Errorf("rope_scaling is not supported")
	case l.RopeParams != nil && l.RopeParams.Type != "" && l.RopeParams.Type != "default":
		return fmt.Errorf("rope_type %q is not supported", l.RopeParams.Type)
	}
	return nil
}

// dtype returns the type in which the weights are written; float16 is read exactly, and
// written as bfloat16.
func (l *llamaConfig) dtype() DType {
	s := l.DType
	if s == "" {
		s = l.NewDType
	}
	switch s {
	case "":
		return Float32 // transformers' default
	case "float16":
		return BFloat16
	}
	return DType(s)
}

func marshalLlama(c Config) ([]byte, error) {
	l := llamaConfig{
		Architectures: []string{"LlamaForCausalLM"}, ModelType: "llama", Hidden: c.Hidden, FFN: c.FFN,
		Layers: c.Layers, Heads: c.Heads, KVHeads: &c.KVHeads, HeadSize: &c.HeadSize, Vocab: c.Vocab,
		Context: c.Context, NormEps: &c.NormEps, Theta: &c.Theta, Tied: c.Tied, Act: "silu",
		DType: string(c.DType), BOS: c.BOS, Pad: c.Pad,
	}
	if c.EOS != nil {
		l.EOS = tokenIDs{*c.EOS}
	}
	return json.MarshalIndent(l, "", "  ")
}

// llamaWeights names the tensors as LlamaForCausalLM does; those that one product can make
// together are stacked.
func llamaWeights(c Config) *weights {
	heads, kv := c.Heads*c.HeadSize, c.KVHeads*c.HeadSize
	w := &weights{
		embed: nn.NewParam("model.embed_tokens.weight", c.Vocab, c.Hidden),
		norm:  nn.NewVector("model.norm.weight", c.Hidden),
	}
	w.head = w.embed
	if !c.Tied {
		w.head = nn.NewParam("lm_head.weight", c.Vocab, c.Hidden)
	}
	for i := range c.Layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		w.layers = append(w.layers, nn.Weights{
			Norm1: nn.NewVector(p+"input_layernorm.weight", c.Hidden),
			QKV: nn.NewParam(p+"self_attn.qkv_proj.weight", heads+2*kv, c.Hidden,
				nn.Part{Name: p + "self_attn.q_proj.weight", Rows: heads},
				nn.Part{Name: p + "self_attn.k_proj.weight", Rows: kv},
				nn.Part{Name: p + "self_attn.v_proj.weight", Rows: kv}),
			O:     nn.NewParam(p+"self_attn.o_proj.weight", c.Hidden, heads),
			Norm2: nn.NewVector(p+"post_attention_layernorm.weight", c.Hidden),
			GateUp: nn.NewParam(p+"mlp.gate_up_proj.weight", 2*c.FFN, c.Hidden,
				nn.Part{Name: p + "mlp.gate_proj.weight", Rows: c.FFN},
				nn.Part{Name: p + "mlp.up_proj.weight", Rows: c.FFN}),
			Down: nn.NewParam(p+"mlp.down_proj.weight", c.Hidden, c.FFN),
		})
	}
	return w
}

func or[T any](p *T, other T) T {
	if p != nil {
		return *p
	}
	return other
}
