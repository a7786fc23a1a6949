package model

import "outcrop.dev/outcrop/engine/tensor/act"

// qwen2 is the family of Qwen 1.5, 2 and 2.5: Llama's block with biases on queries, keys and
// values. The layers from max_window_layers on may have a window.
var qwen2 = family{
	parse:   parseQwen2,
	marshal: marshalQwen2,
	weights: llama.weights,
	shape:   gatedSiLU,
	ignored: llama.ignored,
}

// qwenFile is what config.json of a Qwen has beside the standard fields.
type qwenFile struct {
	standard
	UseWindow  bool     `json:"use_sliding_window"`
	Window     *int     `json:"sliding_window"`
	FullLayers int      `json:"max_window_layers"`
	LayerTypes []string `json:"layer_types,omitempty"`
}

// newQwenFile returns the fields with transformers' defaults.
func newQwenFile() qwenFile {
	keys, window := 32, 4096
	return qwenFile{standard: standard{Act: "silu", Context: 32768, KVHeads: &keys}, Window: &window, FullLayers: 28}
}

func parseQwen2(b []byte) (Config, error) {
	f := newQwenFile()
	if err := parseStrict(b, &f); err != nil {
		return Config{}, err
	}
	c, err := f.config()
	c.QKVBias = true
	return c, err
}

func marshalQwen2(c Config) ([]byte, error) { return marshal(qwenFileOf(c, "Qwen2ForCausalLM")) }

// config returns what the fields say.
func (f *qwenFile) config() (Config, error) {
	c, err := f.standard.config(false)
	if err != nil {
		return Config{}, err
	}
	if err := checkActivation("hidden_act", f.Act, act.SiLU); err != nil {
		return Config{}, err
	}
	if !f.UseWindow || f.Window == nil {
		return c, nil
	}
	if err := c.setWindow(f.Window); err != nil {
		return Config{}, err
	}
	return c, c.setLayerTypes(f.LayerTypes, func(layer int) bool { return layer >= f.FullLayers })
}

// qwenFileOf returns the fields for a file. With layer_types, max_window_layers says nothing.
func qwenFileOf(c Config, architecture string) qwenFile {
	f := qwenFile{standard: newStandard(c, architecture), FullLayers: c.Layers}
	if c.Window > 0 {
		f.UseWindow, f.Window, f.LayerTypes = true, &c.Window, c.layerTypes()
	}
	return f
}
