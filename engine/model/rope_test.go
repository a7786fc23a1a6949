package model

import (
	"strings"
	"testing"
)

// TestRopeTableLimit: a small model with one wide head must not ask for gigabytes of angles.
func TestRopeTableLimit(t *testing.T) {
	t.Parallel()
	c := Config{
		Family: "llama", Hidden: 8, FFN: 8, Layers: 1, Heads: 1, KVHeads: 1, HeadSize: 128, Vocab: 8,
		Context: contextMax, NormEps: 1e-5, Theta: 10000, DType: Float32,
	}
	if err := c.Check(); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	c.HeadSize += 2
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "tables") {
		t.Errorf("one past it: got %v", err)
	}
}
