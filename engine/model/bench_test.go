package model

import (
	"testing"

	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// pebble returns a model of Pebble's shape, as it is before training.
func pebble(b *testing.B) *Model {
	m, err := New(Config{
		Family: "llama", Hidden: 256, FFN: 704, Layers: 6, Heads: 4, KVHeads: 4, HeadSize: 64, Vocab: 8192,
		Context: 1024, NormEps: 1e-5, Theta: 10000, Tied: true, DType: BFloat16,
	}, newExec(b, 2, gemm.Best()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	m.Init(1)
	return m
}

// BenchmarkAccumulate measures forward and backward of Pebble xs on 16 documents of 512.
func BenchmarkAccumulate(b *testing.B) {
	m := pebble(b)
	lengths := make([]int, 16)
	for i := range lengths {
		lengths[i] = 512
	}
	if err := m.Plan(Budget{Tokens: 8192, Longest: 512, Train: true}); err != nil {
		b.Fatal(err)
	}
	batch := randomBatch(m.Config, 1, lengths...)
	for i := range batch.Targets {
		batch.Targets[i] = batch.Tokens[i]
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Accumulate(batch, 1.0/8192); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(8192*float64(b.N)/b.Elapsed().Seconds(), "tok/s")
}

// BenchmarkDecode measures one session of Pebble xs, token by token after a prompt of 256.
func BenchmarkDecode(b *testing.B) {
	m := pebble(b)
	s := servingOf(b, m)
	n, err := s.NewSession(512)
	if err != nil {
		b.Fatal(err)
	}
	step := []Step{{n, randomBatch(m.Config, 1, 256).Tokens}}
	if _, err := s.Forward(step); err != nil {
		b.Fatal(err)
	}
	step[0].Tokens = step[0].Tokens[:1]
	for b.Loop() {
		if n.Len() == 512 {
			n.Truncate(256)
		}
		if _, err := s.Forward(step); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tok/s")
}

// BenchmarkDecodeAdapters measures 32 sessions of Pebble xs that generate together: without
// adapters, with one that they share, and with one each.
func BenchmarkDecodeAdapters(b *testing.B) {
	const sessions = 32
	m := pebble(b)
	s := servingOf(b, m)
	dir := b.TempDir()
	if err := m.AddLoRA(LoRA{Rank: 16, Alpha: 32}); err != nil {
		b.Fatal(err)
	}
	if err := m.SaveAdapter(dir); err != nil {
		b.Fatal(err)
	}
	var adapters []*Adapter
	for range sessions {
		a, err := s.LoadAdapter(dir)
		if err != nil {
			b.Fatal(err)
		}
		adapters = append(adapters, a)
	}
	for name, adapter := range map[string]func(i int) *Adapter{
		"none": func(int) *Adapter { return nil }, "one": func(int) *Adapter { return adapters[0] },
		"each": func(i int) *Adapter { return adapters[i] },
	} {
		b.Run(name, func(b *testing.B) { benchDecode(b, s, sessions, adapter) })
	}
}

func benchDecode(b *testing.B, s *Serving, sessions int, adapter func(i int) *Adapter) {
	const prompt, most = 64, 256
	var steps []Step
	for i := range sessions {
		n, err := s.NewSession(most)
		if a := adapter(i); a != nil {
			n, err = a.NewSession(most)
		}
		if err != nil {
			b.Fatal(err)
		}
		steps = append(steps, Step{n, randomBatch(s.Config, 1, prompt).Tokens})
	}
	if _, err := s.Forward(steps); err != nil {
		b.Fatal(err)
	}
	for i := range steps {
		steps[i].Tokens = steps[i].Tokens[:1]
	}
	for b.Loop() {
		for _, st := range steps {
			if st.Session.Len() == most {
				st.Session.Truncate(prompt)
			}
		}
		if _, err := s.Forward(steps); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(sessions*b.N)/b.Elapsed().Seconds(), "tok/s")
}
