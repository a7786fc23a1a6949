package model

import "fmt"

// The names that layer_types gives to layers with a window and without.
const (
	slidingAttention = "sliding_attention"
	fullAttention    = "full_attention"
)

// setLayerTypes sets which layers have the window, from layer_types, or where the file has
// none, from what the family says of each layer.
func (c *Config) setLayerTypes(types []string, local func(layer int) bool) error {
	if types != nil && len(types) != c.Layers {
		return fmt.Errorf("layer_types has %d entries for %d layers", len(types), c.Layers)
	}
	if c.Layers < 1 || c.Layers > layersMax {
		return nil // Check says so
	}
	c.Local = make([]bool, c.Layers)
	for i := range c.Local {
		if types == nil {
			c.Local[i] = local(i)
			continue
		}
		switch types[i] {
		case slidingAttention:
			c.Local[i] = true
		case fullAttention:
		default:
			return fmt.Errorf("layer_types has %q, which is not supported", types[i])
		}
	}
	return nil
}

// layerTypes returns layer_types.
func (c Config) layerTypes() []string {
	types := make([]string, c.Layers)
	for i := range types {
		if types[i] = fullAttention; c.window(i) > 0 {
			types[i] = slidingAttention
		}
	}
	return types
}
