package model

import (
	"encoding/json"
	"fmt"
	"math"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/act"
)

// gemma3 is the family of Gemma 3's text models: norms before and after attention and
// feed-forward layer, of which files keep the weights less one, norms of heads, GeGLU, a
// scaled embedding, and a window in most layers, which turn by frequencies of their own.
//
// A Gemma 3 that sees pictures ("gemma3") is read as the text model inside it; the rest of
// its tensors is left out.
var gemma3 = family{
	parse:   parseGemma3,
	marshal: marshalGemma3,
	weights: gemma3Weights,
	shape: func(Config) nn.Shape {
		return nn.Shape{Norm: nn.NormShape{Kind: nn.RMSNormPlusOne}, Act: act.GELUTanh, Gated: true}
	},
	embedScale: gemma3EmbedScale,
	prefixes: []prefix{
		{"model.", "language_model.model."}, {"model.", "model.language_model."}, {"lm_head.", "language_model.lm_head."},
	},
	ignored: []string{
		"vision_tower.*", "multi_modal_projector.*", "model.vision_tower.*", "model.multi_modal_projector.*",
	},
}

// Gemma3's family and the one that its text model is within.
const (
	gemma3Text     = "gemma3_text"
	gemma3Pictures = "gemma3"
)

// gemma3File is config.json as transformers' Gemma3TextConfig writes it.
type gemma3File struct {
	standard
	Act           string   `json:"hidden_activation"`
	AttentionBias bool     `json:"attention_bias"`
	QueryScale    float64  `json:"query_pre_attn_scalar"`
	Window        *int     `json:"sliding_window"`
	LayerTypes    []string `json:"layer_types,omitempty"`
	LocalTheta    *float64 `json:"rope_local_base_freq,omitempty"`

	// One layer in so many has no window, where there is no layer_types.
	Pattern    *int `json:"sliding_window_pattern,omitempty"`
	OldPattern *int `json:"_sliding_window_pattern,omitempty"`
}

// gemma3Outer is config.json of a model that sees pictures.
type gemma3Outer struct {
	Text json.RawMessage `json:"text_config"`
	tokens
	dtypes
}

// newGemma3File returns the fields with transformers' defaults, which early files rely on.
func newGemma3File() gemma3File {
	heads, size, eps, window := 4, 256, 1e-6, 4096
	return gemma3File{
		standard: standard{
			Hidden: 2304, FFN: 9216, Layers: 26, Heads: 8, KVHeads: &heads, HeadSize: &size, Vocab: 262208,
			Context: 131072, NormEps: &eps, tokens: tokens{EOS: tokenIDs{1}},
		},
		Act: "gelu_pytorch_tanh", QueryScale: 256, Window: &window,
	}
}

func parseGemma3(b []byte) (Config, error) {
	f := newGemma3File()
	var outer gemma3Outer
	if err := json.Unmarshal(b, &outer); err != nil {
		return Config{}, err
	}
	if len(outer.Text) > 0 {
		b = outer.Text
	}
	if err := parseStrict(b, &f); err != nil {
		return Config{}, err
	}
	if len(outer.Text) > 0 {
		f.within(outer)
	}
	return f.config()
}

// within takes over what a file that sees pictures says outside of its text_config.
func (f *gemma3File) within(outer gemma3Outer) {
	if outer.dtypes != (dtypes{}) {
		f.dtypes = outer.dtypes
	}
	if outer.EOS != nil {
		f.EOS = outer.EOS
	}
	if outer.BOS != nil {
		f.BOS = outer.BOS
	}
	if outer.Pad != nil {
		f.Pad = outer.Pad
	}
}

// config returns what the fields say.
func (f *gemma3File) config() (Config, error) {
	f.ModelType = gemma3Text
	local, err := f.ropes()
	if err != nil {
		return Config{}, err
	}
	c, err := f.standard.config(true)
	if err != nil {
		return Config{}, err
	}
	c.LocalTheta, c.QueryScale = local, f.QueryScale
	c.QKVBias, c.OBias = f.AttentionBias, f.AttentionBias
	if f.Window == nil || f.QueryScale <= 0 {
		return Config{}, fmt.Errorf("sliding_window and query_pre_attn_scalar must be positive numbers")
	}
	if err := c.setWindow(f.Window); err != nil {
		return Config{}, err
	}
	pattern := or(f.Pattern, or(f.OldPattern, 6))
	if pattern < 1 {
		return Config{}, fmt.Errorf("sliding_window_pattern is %d: it must be at least 1", pattern)
	}
	if err := c.setLayerTypes(f.LayerTypes, func(i int) bool { return (i+1)%pattern != 0 }); err != nil {
		return Config{}, err
	}
	return c, checkActivation("hidden_activation", f.Act, act.GELUTanh)
}

// ropes returns the theta of layers with a window, and leaves in the standard fields what
// the others have: rope_parameters has one entry for each kind of layer.
func (f *gemma3File) ropes() (local float64, err error) {
	if f.Theta == nil {
		f.Theta = new(1e6)
	}
	local = or(f.LocalTheta, 1e4)
	var both map[string]json.RawMessage
	if len(f.RopeParams) == 0 || json.Unmarshal(f.RopeParams, &both) != nil || both == nil {
		return local, nil
	}
	r, err := parseRope(both[slidingAttention], "rope_parameters."+slidingAttention)
	if err != nil {
		return 0, err
	}
	if r.Type != scalingNone {
		return 0, fmt.Errorf("rope_parameters.%s has the type %q, which is not supported", slidingAttention, r.Type)
	}
	f.RopeParams = both[fullAttention]
	return or(r.Theta, local), nil
}

func marshalGemma3(c Config) ([]byte, error) {
	f := gemma3File{
		standard: newStandard(c, "Gemma3ForCausalLM"), Act: "gelu_pytorch_tanh", AttentionBias: c.OBias,
		QueryScale: c.QueryScale, Window: &c.Window, LayerTypes: c.layerTypes(), LocalTheta: &c.LocalTheta,
	}
	f.standard.Act = ""
	return marshal(f)
}

func gemma3Weights(c Config) *weights {
	w := standardWeights(c, gemma3Layer)
	w.norm = rmsNorm("model.norm", c.Hidden, 0)
	return w
}

func gemma3Layer(c Config, p string) nn.Weights {
	w := standardLayer(c, p)
	w.Norm1 = rmsNorm(p+"input_layernorm", c.Hidden, 0)
	w.Post1 = rmsNorm(p+"post_attention_layernorm", c.Hidden, 0)
	w.Norm2 = rmsNorm(p+"pre_feedforward_layernorm", c.Hidden, 0)
	w.Post2 = rmsNorm(p+"post_feedforward_layernorm", c.Hidden, 0)
	w.Q = rmsNorm(p+"self_attn.q_norm", c.HeadSize, 0)
	w.K = rmsNorm(p+"self_attn.k_norm", c.HeadSize, 0)
	return w
}

// gemma3EmbedScale is √C, which transformers rounds to the type of the weights.
func gemma3EmbedScale(c Config) float32 {
	s := float32(math.Sqrt(float64(c.Hidden)))
	if c.DType == BFloat16 {
		return tensor.ToBF16(s).Float32()
	}
	return s
}
