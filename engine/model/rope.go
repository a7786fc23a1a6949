package model

import (
	"encoding/json"
	"fmt"
	"math"

	"outcrop.dev/outcrop/engine/tensor/rope"
)

// Scaling says how the frequencies of the rotary embedding differ from Theta's, as
// config.json's rope_scaling does. The zero value leaves them as they are.
type Scaling struct {
	Type            string    `json:"rope_type,omitempty"`
	Factor          float64   `json:"factor,omitempty"`
	LowFreqFactor   float64   `json:"low_freq_factor,omitempty"`  // llama3
	HighFreqFactor  float64   `json:"high_freq_factor,omitempty"` // llama3
	Original        int       `json:"original_max_position_embeddings,omitempty"`
	AttentionFactor float64   `json:"attention_factor,omitempty"` // yarn, longrope; 0 means by formula
	BetaFast        float64   `json:"beta_fast,omitempty"`        // yarn
	BetaSlow        float64   `json:"beta_slow,omitempty"`        // yarn
	MScale          float64   `json:"mscale,omitempty"`           // yarn
	MScaleAll       float64   `json:"mscale_all_dim,omitempty"`   // yarn
	Truncate        *bool     `json:"truncate,omitempty"`         // yarn
	ShortFactor     []float64 `json:"short_factor,omitempty"`     // longrope
	LongFactor      []float64 `json:"long_factor,omitempty"`      // longrope
}

// The types of scaling that this engine does. "dynamic" changes nothing up to the positions
// of the model, and no document may be longer; "longrope" is done for documents as long as
// the positions that the model had at first, where it is a table like any other.
const (
	scalingNone     = ""
	scalingLinear   = "linear"
	scalingDynamic  = "dynamic"
	scalingLlama3   = "llama3"
	scalingYarn     = "yarn"
	scalingLongRope = "longrope"
)

// ropeFile is rope_scaling, whose type has two names, and rope_parameters, in which newer
// versions of transformers put everything about the rotary embedding.
type ropeFile struct {
	Scaling
	OldType string   `json:"type,omitempty"`
	Theta   *float64 `json:"rope_theta,omitempty"`
	Partial *float64 `json:"partial_rotary_factor,omitempty"`
}

// parseRope reads a rope_scaling or rope_parameters; nothing and null are no scaling.
func parseRope(raw json.RawMessage, name string) (ropeFile, error) {
	var r ropeFile
	if len(raw) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	if r.Type == "" {
		r.Type = r.OldType
	}
	switch r.Type {
	case "default":
		r.Scaling = Scaling{}
	case "":
		if r.Factor != 0 {
			return r, fmt.Errorf("%s has a factor and no type", name)
		}
		r.Scaling = Scaling{}
	case "su": // the old name
		r.Type = scalingLongRope
	case scalingLinear, scalingDynamic, scalingLlama3, scalingYarn, scalingLongRope:
	default:
		return r, fmt.Errorf("%s has the type %q, which is not supported", name, r.Type)
	}
	return r, nil
}

// checkRope returns an error for a rotary embedding that cannot be.
func (c Config) checkRope() error {
	if c.Theta == 0 && c.LocalTheta == 0 {
		return nil
	}
	s, rotary := c.Scaling, c.rotary()
	switch {
	case rotary < 2 || rotary%2 != 0 || rotary > c.HeadSize:
		return fmt.Errorf("the rotary embedding turns %d channels of a head: with a head_dim of %d they must be even and at least 2", rotary, c.HeadSize)
	case c.Context > tableMax/(rotary/2):
		return fmt.Errorf("%d positions with a rotary embedding of %d channels of a head are more than this engine has tables for", c.Context, rotary)
	case !goodTheta(c.Theta) || c.LocalTheta != 0 && !goodTheta(c.LocalTheta):
		return fmt.Errorf("rope_theta is %g (local %g): it must be at least 1", c.Theta, c.LocalTheta)
	}
	switch s.Type {
	case scalingNone:
		return nil
	case scalingLongRope:
		return c.checkLongRope()
	}
	return s.check(c.Theta)
}

// tableMax bounds the angles of a table, of every position and pair of channels: those of heads of
// 128 channels at contextMax. Weights do not bound it: a head may be wide where the model is not.
// A table has what the longest document so far has needed.
const tableMax = 1 << 27

func goodTheta(t float64) bool { return t >= 1 && t <= math.MaxFloat32 }

// check checks the numbers of linear, dynamic, llama3 and yarn.
func (s Scaling) check(theta float64) error {
	needsOriginal := s.Type == scalingLlama3 || s.Type == scalingYarn
	switch {
	case !(s.Factor >= 1 && s.Factor <= math.MaxFloat32):
		return fmt.Errorf("rope_scaling's factor is %g: it must be at least 1", s.Factor)
	case needsOriginal && (s.Original < 1 || s.Original > contextMax):
		return fmt.Errorf("rope_scaling's original_max_position_embeddings is %d: it must be from 1 to %d", s.Original, contextMax)
	case s.Type == scalingLlama3 && !(s.LowFreqFactor > 0 && s.HighFreqFactor > s.LowFreqFactor):
		return fmt.Errorf("rope_scaling's low_freq_factor is %g and high_freq_factor %g: the second must be greater, both positive", s.LowFreqFactor, s.HighFreqFactor)
	case s.Type == scalingYarn && !(theta > 1 && s.BetaFast >= 0 && s.BetaSlow >= 0 && s.AttentionFactor >= 0 && s.MScale >= 0 && s.MScaleAll >= 0):
		return fmt.Errorf("rope_scaling's numbers must be positive")
	}
	return nil
}

func (c Config) checkLongRope() error {
	s := c.Scaling
	switch {
	case s.Original < 2 || s.Original > contextMax || c.Context > s.Original:
		return fmt.Errorf("longrope: original_max_position_embeddings is %d: it must be from 2 to %d", s.Original, contextMax)
	case len(s.ShortFactor) != c.rotary()/2:
		return fmt.Errorf("rope_scaling's short_factor has %d numbers, it must have %d", len(s.ShortFactor), c.rotary()/2)
	case !(s.Factor >= 1 && s.Factor <= math.MaxFloat32) || s.AttentionFactor < 0:
		return fmt.Errorf("rope_scaling's factor is %g: it must be at least 1", s.Factor)
	}
	for _, f := range s.ShortFactor {
		if !(f > 0 && f <= math.MaxFloat32) {
			return fmt.Errorf("rope_scaling's short_factor has %g: all must be positive", f)
		}
	}
	return nil
}

// rotary returns how many channels of a head are turned.
func (c Config) rotary() int {
	if c.Rotary != 0 {
		return c.Rotary
	}
	return c.HeadSize
}

// ropes are the tables of a model: that of layers with a window may differ.
type ropes struct{ global, local *rope.Table }

// grow makes the tables long enough for documents of t tokens.
func (r ropes) grow(t int) {
	if r.global != nil {
		r.global.Grow(t)
		r.local.Grow(t)
	}
}

// ropes returns the tables of t positions.
func (c Config) ropes(t int) ropes {
	if c.Theta == 0 {
		return ropes{}
	}
	r := ropes{global: c.table(t)}
	if r.local = r.global; c.LocalTheta != 0 {
		r.local = rope.NewTable(t, rope.Frequencies(c.rotary(), c.LocalTheta), 1)
	}
	return r
}

// FrequencyDivisors returns what the scaling divides Theta's frequencies by, each: for formats that
// have a table in place of a formula.
func (c Config) FrequencyDivisors() []float32 {
	usual, scaled := rope.Frequencies(c.rotary(), c.Theta), c.frequencies()
	divisors := make([]float32, len(usual))
	for i := range divisors {
		divisors[i] = float32(usual[i] / scaled[i])
	}
	return divisors
}

func (c Config) table(t int) *rope.Table {
	return rope.NewTable(t, c.frequencies(), c.Scaling.attention())
}

func (c Config) frequencies() []float64 {
	s, freq := c.Scaling, rope.Frequencies(c.rotary(), c.Theta)
	switch s.Type {
	case scalingLinear:
		rope.Divide(freq, s.Factor)
	case scalingLlama3:
		rope.Llama3(freq, s.Factor, s.LowFreqFactor, s.HighFreqFactor, s.Original)
	case scalingYarn:
		rope.Yarn(freq, c.Theta, s.Factor, orNumber(s.BetaFast, 32), orNumber(s.BetaSlow, 1), s.Original, or(s.Truncate, true))
	case scalingLongRope:
		rope.Divide(freq, s.ShortFactor...)
	}
	return freq
}

// attention returns what cosines and sines are multiplied by: for yarn eq. 22 of Peng et al.
// 2023, arXiv:2309.00071, for longrope that of Ding et al. 2024, arXiv:2402.13753, 4.
func (s Scaling) attention() float64 {
	grow := func(m float64) float64 {
		if s.Factor <= 1 {
			return 1
		}
		return 0.1*m*math.Log(s.Factor) + 1
	}
	switch {
	case s.Type != scalingYarn && s.Type != scalingLongRope:
		return 1
	case s.AttentionFactor != 0:
		return s.AttentionFactor
	case s.Type == scalingLongRope:
		return math.Sqrt(1 + math.Log(s.Factor)/math.Log(float64(s.Original)))
	case s.MScale != 0 && s.MScaleAll != 0:
		return grow(s.MScale) / grow(s.MScaleAll)
	}
	return grow(1)
}

func orNumber(x, other float64) float64 {
	if x != 0 {
		return x
	}
	return other
}
