package model

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor/act"
)

// mistral is the family of Mistral 7B and its relatives: Llama's block, whose attention may
// have a window in every layer.
var mistral = family{
	parse:   parseMistral,
	marshal: marshalMistral,
	weights: llama.weights,
	shape:   gatedSiLU,
	ignored: llama.ignored,
}

// mistralFile is config.json as transformers' MistralConfig writes it.
type mistralFile struct {
	standard
	Window *int `json:"sliding_window"`
}

func parseMistral(b []byte) (Config, error) {
	keys, window := 8, 4096 // transformers' defaults, where the file says nothing
	f := mistralFile{standard: standard{Act: "silu", Context: 131072, KVHeads: &keys}, Window: &window}
	if err := parseStrict(b, &f); err != nil {
		return Config{}, err
	}
	c, err := f.config(false)
	if err != nil {
		return Config{}, err
	}
	if err := c.setWindow(f.Window); err != nil {
		return Config{}, err
	}
	return c, checkActivation("hidden_act", f.Act, act.SiLU)
}

func marshalMistral(c Config) ([]byte, error) {
	return marshal(mistralFile{newStandard(c, "MistralForCausalLM"), c.windowOrNil()})
}

// setWindow sets the window that sliding_window says; null is none.
func (c *Config) setWindow(w *int) error {
	if w != nil && *w < 1 {
		return fmt.Errorf("sliding_window is %d: it must be at least 1", *w)
	}
	c.Window = or(w, 0)
	return nil
}

func (c Config) windowOrNil() *int {
	if c.Window == 0 {
		return nil
	}
	return &c.Window
}
