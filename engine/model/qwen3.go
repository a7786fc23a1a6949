package model

import "outcrop.dev/outcrop/engine/nn"

// qwen3 is the family of the dense Qwen 3 models: Qwen 2 without its biases and with a norm
// of each head of queries and keys.
var qwen3 = family{
	parse:   parseQwen3,
	marshal: marshalQwen3,
	weights: func(c Config) *weights { return standardWeights(c, qwen3Layer) },
	shape:   gatedSiLU,
	ignored: llama.ignored,
}

// qwen3File is config.json as transformers' Qwen3Config writes it.
type qwen3File struct {
	qwenFile
	AttentionBias bool `json:"attention_bias"`
}

func parseQwen3(b []byte) (Config, error) {
	size := 128
	f := qwen3File{qwenFile: newQwenFile()}
	f.HeadSize = &size
	if err := parseStrict(b, &f); err != nil {
		return Config{}, err
	}
	c, err := f.config()
	c.QKVBias, c.OBias = f.AttentionBias, f.AttentionBias
	return c, err
}

func marshalQwen3(c Config) ([]byte, error) {
	return marshal(qwen3File{qwenFileOf(c, "Qwen3ForCausalLM"), c.OBias})
}

func qwen3Layer(c Config, p string) nn.Weights {
	w := standardLayer(c, p)
	w.Q = rmsNorm(p+"self_attn.q_norm", c.HeadSize, 1)
	w.K = rmsNorm(p+"self_attn.k_norm", c.HeadSize, 1)
	return w
}
