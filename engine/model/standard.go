package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor/act"
)

// standard is the fields of config.json that most families have, as transformers writes
// them. A family embeds it beside fields of its own.
type standard struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	Hidden        int             `json:"hidden_size"`
	FFN           int             `json:"intermediate_size"`
	Layers        int             `json:"num_hidden_layers"`
	Heads         int             `json:"num_attention_heads"`
	KVHeads       *int            `json:"num_key_value_heads,omitempty"`
	HeadSize      *int            `json:"head_dim,omitempty"`
	Vocab         int             `json:"vocab_size"`
	Context       int             `json:"max_position_embeddings"`
	NormEps       *float64        `json:"rms_norm_eps,omitempty"`
	Theta         *float64        `json:"rope_theta,omitempty"`
	Scaling       json.RawMessage `json:"rope_scaling,omitempty"`
	RopeParams    json.RawMessage `json:"rope_parameters,omitempty"`
	Tied          *bool           `json:"tie_word_embeddings"`
	Act           string          `json:"hidden_act,omitempty"`
	Partial       *float64        `json:"partial_rotary_factor,omitempty"`
	tokens
	dtypes
	partial bool // the family may turn a part of each head only
}

// tokens are the ids that config.json names; null is none, and what is left out transformers
// takes for the family's usual id.
type tokens struct {
	BOS *int     `json:"bos_token_id"`
	EOS tokenIDs `json:"eos_token_id"`
	Pad *int     `json:"pad_token_id"`
}

// dtypes is the type of the weights: newer versions of transformers call it dtype.
type dtypes struct {
	DType    string `json:"torch_dtype,omitempty"`
	NewDType string `json:"dtype,omitempty"`
}

// value returns the type in which the weights are written; float16 is read exactly, and
// written as bfloat16.
func (d dtypes) value() DType {
	s := d.DType
	if s == "" {
		s = d.NewDType
	}
	switch s {
	case "":
		return Float32 // transformers' default
	case "float16":
		return BFloat16
	}
	return DType(s)
}

// tokenIDs is one id or a list of them.
type tokenIDs []int

// UnmarshalJSON accepts a number, a list of numbers, or null.
func (t *tokenIDs) UnmarshalJSON(b []byte) error {
	var one *int
	if json.Unmarshal(b, &one) == nil {
		if *t = nil; one != nil {
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

// activations are those that this engine does, by the names that config.json gives them.
var activations = map[string]act.Kind{
	"silu": act.SiLU, "swish": act.SiLU, "gelu": act.GELU,
	"gelu_new": act.GELUTanh, "gelu_pytorch_tanh": act.GELUTanh, "gelu_fast": act.GELUTanh,
}

func knownActivation(name string) bool {
	_, ok := activations[name]
	return ok
}

// checkActivation returns an error for an activation that a family has not; field is where
// config.json has it.
func checkActivation(field, name string, only ...act.Kind) error {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(activations)) {
		if slices.Contains(only, activations[n]) {
			names = append(names, n)
		}
	}
	if !slices.Contains(names, name) {
		return fmt.Errorf("%s %q is not supported: this model may have %s", field, name, strings.Join(names, ", "))
	}
	return nil
}

// config returns what the fields say. Tied tells whether the head is the embedding where
// the file does not say.
func (s *standard) config(tied bool) (Config, error) {
	c := Config{
		Family: s.ModelType, Hidden: s.Hidden, FFN: s.FFN, Layers: s.Layers, Heads: s.Heads, Vocab: s.Vocab,
		Context: s.Context, Tied: or(s.Tied, tied), DType: s.dtypes.value(), BOS: s.BOS, EOS: s.EOS, Pad: s.Pad,
		KVHeads: or(s.KVHeads, s.Heads), NormEps: or(s.NormEps, 1e-6),
	}
	switch {
	case s.HeadSize != nil:
		c.HeadSize = *s.HeadSize
	case s.Heads > 0:
		c.HeadSize = s.Hidden / s.Heads
	}
	return c, s.rope(&c)
}

// rope sets what rope_scaling, rope_parameters and rope_theta say.
func (s *standard) rope(c *Config) error {
	old, err := parseRope(s.Scaling, "rope_scaling")
	if err != nil {
		return err
	}
	r, err := parseRope(s.RopeParams, "rope_parameters")
	if err != nil {
		return err
	}
	if len(s.Scaling) > 0 && !neutral(s.Scaling) { // it goes first in transformers, too, where a file has both
		r.Scaling, r.Theta, r.Partial = old.Scaling, cmp.Or(old.Theta, r.Theta), cmp.Or(old.Partial, r.Partial)
	}
	c.Scaling, c.Theta = r.Scaling, or(r.Theta, or(s.Theta, 10000))
	if c.Theta == 0 {
		return fmt.Errorf("rope_theta is 0: it must be at least 1")
	}
	return s.rotary(c, or(r.Partial, or(s.Partial, 1)))
}

// rotary sets how much of a head is turned.
func (s *standard) rotary(c *Config, part float64) error {
	switch {
	case part == 1:
		return nil
	case !s.partial:
		return fmt.Errorf("partial_rotary_factor is %g: it is not supported in a %s model", part, s.ModelType)
	case !(part > 0 && part < 1):
		return fmt.Errorf("partial_rotary_factor is %g: it must be from 0 to 1", part)
	}
	if c.Rotary = int(float64(c.HeadSize) * part); c.Rotary < 1 {
		return fmt.Errorf("partial_rotary_factor is %g: of %d channels of a head that is none", part, c.HeadSize)
	}
	return nil
}

// partOf returns a number that is cut to rotary channels of size when multiplied.
func partOf(rotary, size int) *float64 {
	part := float64(rotary) / float64(size)
	if int(part*float64(size)) < rotary {
		part = math.Nextafter(part, 1)
	}
	return &part
}

// newStandard returns the fields for a file.
func newStandard(c Config, architecture string) standard {
	s := standard{
		Architectures: []string{architecture}, ModelType: c.Family, Hidden: c.Hidden, FFN: c.FFN, Layers: c.Layers,
		Heads: c.Heads, KVHeads: &c.KVHeads, HeadSize: &c.HeadSize, Vocab: c.Vocab, Context: c.Context,
		NormEps: &c.NormEps, Theta: &c.Theta, Tied: &c.Tied, Act: "silu",
		tokens: c.tokens(), dtypes: dtypes{DType: string(c.DType)},
	}
	if c.Scaling.Type != scalingNone {
		s.Scaling, _ = json.Marshal(c.Scaling) // numbers and a name: no error is possible
	}
	return s
}

func (c Config) tokens() tokens { return tokens{BOS: c.BOS, EOS: c.EOS, Pad: c.Pad} }

// marshal writes a config.json.
func marshal(file any) ([]byte, error) { return json.MarshalIndent(file, "", "  ") }

// gatedSiLU is the block of most families.
func gatedSiLU(Config) nn.Shape { return nn.Shape{Act: act.SiLU, Gated: true} }

// standardWeights names the tensors as LlamaForCausalLM does, and most families after it;
// those that one product can make together are stacked.
func standardWeights(c Config, layer func(c Config, prefix string) nn.Weights) *weights {
	w := &weights{
		embed: nn.NewParam("model.embed_tokens.weight", c.Vocab, c.Hidden),
		norm:  rmsNorm("model.norm", c.Hidden, 1),
	}
	w.head = w.embed
	if !c.Tied {
		w.head = nn.NewParam("lm_head.weight", c.Vocab, c.Hidden)
	}
	for i := range c.Layers {
		w.layers = append(w.layers, layer(c, fmt.Sprintf("model.layers.%d.", i)))
	}
	return w
}

// standardLayer is the layer of LlamaForCausalLM.
func standardLayer(c Config, p string) nn.Weights {
	heads, kv := c.Heads*c.HeadSize, c.KVHeads*c.HeadSize
	return nn.Weights{
		Norm1: rmsNorm(p+"input_layernorm", c.Hidden, 1),
		QKV: stacked(p+"self_attn.qkv_proj", c.Hidden, c.QKVBias,
			piece{p + "self_attn.q_proj", heads}, piece{p + "self_attn.k_proj", kv}, piece{p + "self_attn.v_proj", kv}),
		O:     linear(p+"self_attn.o_proj", c.Hidden, heads, c.OBias),
		Norm2: rmsNorm(p+"post_attention_layernorm", c.Hidden, 1),
		GateUp: stacked(p+"mlp.gate_up_proj", c.Hidden, c.FFNBias,
			piece{p + "mlp.gate_proj", c.FFN}, piece{p + "mlp.up_proj", c.FFN}),
		Down: linear(p+"mlp.down_proj", c.Hidden, c.FFN, c.FFNBias),
	}
}

// inverseFrequencies are the rotary frequencies that old files keep; they follow from the
// config.
const inverseFrequencies = "model.layers.*.self_attn.rotary_emb.inv_freq"

func or[T any](p *T, other T) T {
	if p != nil {
		return *p
	}
	return other
}
