package model

import (
	"testing"

	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// TestServingAdapters: the logits of a session with an adapter are, bit for bit, those of the
// training forward pass of the base with that adapter: from a whole prompt, token by token,
// and together with sessions that have another adapter or none, with every kernel.
func TestServingAdapters(t *testing.T) {
	t.Parallel()
	for _, k := range gemm.Kernels() {
		t.Run(k.Name(), func(t *testing.T) {
			t.Parallel()
			c := tiny(false)
			c.Context, c.DType = 100, BFloat16
			exec, base := newExec(t, 2, k), t.TempDir()
			plain := newModel(t, c, exec, Budget{Tokens: 1, Longest: 1})
			if err := plain.Save(base); err != nil {
				t.Fatal(err)
			}
			s, err := LoadServing(base, exec)
			if err != nil {
				t.Fatal(err)
			}
			// What 0 (no adapter), 1 and 2 should give for the prompt.
			const prompt = 70
			tokens := randomBatch(c, 1, prompt).Tokens
			var want [3][]float32
			var adapters [3]*Adapter
			for i, l := range []LoRA{{}, someLoRA, {Rank: 5, Alpha: 1, RSLoRA: true, Dropout: 0.5}} {
				m := loadFrozen(t, base, exec)
				if i > 0 {
					if err := m.AddLoRA(l); err != nil {
						t.Fatal(err)
					}
					fillB(m, uint64(i))
					dir := t.TempDir()
					if err := m.SaveAdapter(dir); err != nil {
						t.Fatal(err)
					}
					if adapters[i], err = s.LoadAdapter(dir); err != nil {
						t.Fatal(err)
					}
				}
				if err := m.Plan(Budget{Tokens: prompt, Longest: prompt}); err != nil {
					t.Fatal(err)
				}
				want[i] = trainingLogits(t, m, tokens)
			}
			if largestDifference(want[0], want[1]) < 0.1 || largestDifference(want[1], want[2]) < 0.1 {
				t.Fatal("the adapters change too little for this test to show anything")
			}
			session := func(i int) *Session {
				if adapters[i] == nil {
					return newSession(t, s)
				}
				n, err := adapters[i].NewSession(c.Context)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			row := func(i, at int) []float32 { return want[i][at*c.Vocab : (at+1)*c.Vocab] }
			for i := range adapters {
				if got := forward(t, s, Step{session(i), tokens}); !sameBits(got, row(i, prompt-1)) {
					t.Errorf("adapter %d: a prompt alone gives other logits than training", i)
				}
				one := session(i)
				for at := range 10 {
					if got := forward(t, s, Step{one, tokens[at : at+1]}); !sameBits(got, row(i, at)) {
						t.Fatalf("adapter %d: token %d alone gives other logits than training", i, at)
					}
				}
			}
			order := []int{1, 1, 0, 2, 1, 2, 0, 1} // neighbours that share, and all changes
			var sessions []*Session
			var steps []Step
			for j, i := range order {
				sessions = append(sessions, session(i))
				steps = append(steps, Step{sessions[j], tokens[:prompt-10+j]})
			}
			got := forward(t, s, steps...)
			for j, i := range order {
				if !sameBits(got[j*c.Vocab:(j+1)*c.Vocab], row(i, prompt-11+j)) {
					t.Errorf("step %d, adapter %d: a prompt among others gives other logits than training", j, i)
				}
				steps[j].Tokens = tokens[prompt-10+j : prompt-9+j]
			}
			got = forward(t, s, steps...)
			for j, i := range order {
				if !sameBits(got[j*c.Vocab:(j+1)*c.Vocab], row(i, prompt-10+j)) {
					t.Errorf("step %d, adapter %d: a token among others gives other logits than training", j, i)
				}
			}
		})
	}
}

// TestAdapterBytes: an adapter is small beside its base.
func TestAdapterBytes(t *testing.T) {
	t.Parallel()
	exec, dir := newExec(t, 1, gemm.Best()), t.TempDir()
	c := tiny(true)
	c.Hidden, c.FFN, c.DType = 256, 704, BFloat16
	if err := newLoRA(t, c, exec, LoRA{Rank: 8, Alpha: 1}, Budget{Tokens: 1, Longest: 1}).SaveAdapter(dir); err != nil {
		t.Fatal(err)
	}
	s := servingOf(t, newModel(t, c, exec, Budget{Tokens: 1, Longest: 1}))
	a, err := s.LoadAdapter(dir)
	if err != nil {
		t.Fatal(err)
	}
	if least := 2 * c.TrainableParams(&LoRA{Rank: 8}); a.Bytes() < least || a.Bytes() > s.Bytes()/4 {
		t.Errorf("%d bytes beside %d: the factors have %d", a.Bytes(), s.Bytes(), least)
	}
}
