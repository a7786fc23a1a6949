package model

import (
	"testing"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// TestRecompute: computing activations again gives the same losses and gradients, bit for bit,
// in every family, of all weights and of adapters with dropout, over several batches of
// different sizes; and takes less memory.
func TestRecompute(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		for _, lora := range []*LoRA{nil, {Rank: 3, Alpha: 6, Dropout: 0.2, Seed: 4}} {
			var losses [2][]Loss
			var grads [2][]*nn.Param
			for i, again := range []bool{false, true} {
				m := newModel(t, c, newExec(t, 2, gemm.Best()), Budget{Tokens: 1, Longest: 1})
				if lora != nil {
					if err := m.AddLoRA(*lora); err != nil {
						t.Fatal(err)
					}
				}
				if err := m.Plan(Budget{Tokens: 150, Longest: 100, Train: true, Recompute: again}); err != nil {
					t.Fatal(err)
				}
				m.BeginStep(3)
				for seed, lengths := range [][]int{{100, 1, 40}, {20, 30}} {
					l, err := m.Accumulate(randomBatch(c, uint64(seed), lengths...), 0.01)
					if err != nil {
						t.Fatal(err)
					}
					losses[i] = append(losses[i], l)
				}
				grads[i] = m.Trainable()
			}
			for j, l := range losses[0] {
				if l != losses[1][j] {
					t.Errorf("loss %v, computed again %v", l, losses[1][j])
				}
			}
			for j, p := range grads[0] {
				if !sameBits(p.G, grads[1][j].G) {
					t.Errorf("the gradient of %s is another (LoRA %v)", p.Name, lora != nil)
				}
			}
		}
		plain := c.Measure(newExec(t, 2, gemm.Best()), Budget{Tokens: 150, Longest: 100, Train: true})
		again := c.Measure(newExec(t, 2, gemm.Best()), Budget{Tokens: 150, Longest: 100, Train: true, Recompute: true})
		if again.Activations >= plain.Activations || again.Gradients != plain.Gradients || again.Weights != plain.Weights {
			t.Errorf("%+v, computed again %+v", plain, again)
		}
	})
}
