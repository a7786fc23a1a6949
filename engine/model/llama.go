package model

import "outcrop.dev/outcrop/engine/tensor/act"

// llama is the family of Llama 1 to 3, TinyLlama, SmolLM and Pebble: RMSNorm, rotary
// embedding, grouped queries, SwiGLU; biases if the file says so.
var llama = family{
	parse:   parseLlama,
	marshal: marshalLlama,
	weights: func(c Config) *weights { return standardWeights(c, standardLayer) },
	shape:   gatedSiLU,
	ignored: []string{inverseFrequencies},
}

// llamaFile is config.json as transformers' LlamaConfig writes it.
type llamaFile struct {
	standard
	AttentionBias bool `json:"attention_bias"`
	MLPBias       bool `json:"mlp_bias"`
}

func parseLlama(b []byte) (Config, error) {
	f := llamaFile{standard: standard{Act: "silu", Context: 2048}}
	if err := parseStrict(b, &f); err != nil {
		return Config{}, err
	}
	c, err := f.config(false)
	if err != nil {
		return Config{}, err
	}
	c.QKVBias, c.OBias, c.FFNBias = f.AttentionBias, f.AttentionBias, f.MLPBias
	return c, checkActivation("hidden_act", f.Act, act.SiLU)
}

func marshalLlama(c Config) ([]byte, error) {
	return marshal(llamaFile{newStandard(c, "LlamaForCausalLM"), c.OBias, c.FFNBias})
}
