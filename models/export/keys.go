package export

import (
	"fmt"
	"math"

	"outcrop.dev/outcrop/format/gguf"
)

// decoderKeys are those of every architecture.
func (g *conversion) decoderKeys() {
	c := g.config
	context := c.Context
	if c.Window > 0 && c.Window < context && c.LocalTheta == 0 {
		context = c.Window
		g.note("llama.cpp knows no window for this family: the context is %d tokens, up to which the window makes no difference", context)
	}
	g.own("context_length", uint32(context))
	g.own("embedding_length", uint32(c.Hidden))
	g.own("block_count", uint32(c.Layers))
	g.own("feed_forward_length", uint32(c.FFN))
	g.own("attention.head_count", uint32(c.Heads))
	g.own("attention.head_count_kv", uint32(c.KVHeads))
	g.own("vocab_size", uint32(c.Vocab))
}

// rmsKeys are those of the families with RMSNorm and turned heads.
func (g *conversion) rmsKeys() error {
	c := g.config
	g.decoderKeys()
	g.own("attention.layer_norm_rms_epsilon", float32(c.NormEps))
	g.own("attention.key_length", uint32(c.HeadSize))
	g.own("attention.value_length", uint32(c.HeadSize))
	if c.QueryScale != 0 && c.QueryScale != float64(c.HeadSize) {
		return fmt.Errorf("scores are scaled by 1/√%g, and llama.cpp scales them by 1/√%d", c.QueryScale, c.HeadSize)
	}
	return g.ropeKeys()
}

// ropeKeys are those of the rotary embedding.
func (g *conversion) ropeKeys() error {
	c := g.config
	g.own("rope.dimension_count", uint32(g.rotary()))
	g.own("rope.freq_base", float32(c.Theta))
	s := c.Scaling
	switch s.Type {
	case "", "dynamic": // which changes nothing within the context
		return nil
	case "linear":
		g.own("rope.scaling.type", "linear")
		g.own("rope.scaling.factor", float32(s.Factor))
		return nil
	case "yarn":
		usual := func(x, usual float64) bool { return x == 0 || x == usual }
		if !usual(s.BetaFast, 32) || !usual(s.BetaSlow, 1) || s.MScale != 0 || s.MScaleAll != 0 || s.Truncate != nil && !*s.Truncate ||
			!usual(s.AttentionFactor, 1+0.1*math.Log(s.Factor)) {
			return fmt.Errorf("rope_scaling of the type yarn has numbers that llama.cpp takes otherwise")
		}
		g.own("rope.scaling.type", "yarn")
		g.own("rope.scaling.factor", float32(s.Factor))
		g.own("rope.scaling.original_context_length", uint32(s.Original))
		return nil
	}
	return fmt.Errorf("rope_scaling of the type %q is not something that llama.cpp's %s does", s.Type, g.prefix[:len(g.prefix)-1])
}

// rotary returns how many channels of a head are turned.
func (g *conversion) rotary() int {
	if g.config.Rotary != 0 {
		return g.config.Rotary
	}
	return g.config.HeadSize
}

// table adds a tensor of numbers that come from the configuration.
func (g *conversion) table(name string, values []float32) {
	g.tensors = append(g.tensors, gguf.Tensor{Name: name, Type: gguf.F32, Shape: []int{len(values)}, Rows: func(dst []float32, first int) error {
		copy(dst, values[first*len(values):])
		return nil
	}})
}
