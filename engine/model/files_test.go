package model

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/safetensors"
)

// TestSaveLoad: a loaded model computes what the saved one did, bit for bit, in training
// and in serving; float32 weights come back exactly.
func TestSaveLoad(t *testing.T) {
	t.Parallel()
	for _, d := range []DType{BFloat16, Float32} {
		for _, tied := range []bool{true, false} {
			exec := newExec(t, 2, kernel(t, "ref-bf16"))
			c := tiny(tied)
			bos := 3
			c.DType, c.BOS, c.EOS = d, &bos, []int{bos}
			m := newModel(t, c, exec, Budget{Tokens: 20, Longest: 20})
			dir := t.TempDir()
			if err := m.Save(dir); err != nil {
				t.Fatal(err)
			}
			back, err := Load(dir, exec)
			if err != nil {
				t.Fatal(err)
			}
			defer back.Close()
			if err := back.Plan(Budget{Tokens: 20, Longest: 20}); err != nil {
				t.Fatal(err)
			}
			tokens := randomBatch(c, 1, 20).Tokens
			want := trainingLogits(t, m, tokens)
			if !sameBits(trainingLogits(t, back, tokens), want) {
				t.Errorf("%s tied=%v: the loaded model gives other logits", d, tied)
			}
			if d == Float32 && !slices.Equal(back.Params()[3].W, m.Params()[3].W) {
				t.Error("float32 weights have changed")
			}
			s, err := LoadServing(dir, exec)
			if err != nil {
				t.Fatal(err)
			}
			if got := forward(t, s, Step{newSession(t, s), tokens}); !sameBits(got, want[19*c.Vocab:]) {
				t.Errorf("%s tied=%v: the loaded serving gives other logits", d, tied)
			}
			if *s.BOS != bos || !slices.Equal(s.EOS, c.EOS) || s.Pad != nil {
				t.Error("token ids are lost")
			}
		}
	}
}

// TestLoadRefuses: each flaw of a directory is an error that names it.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	exec := nn.Exec{Pool: tensor.NewPool(1), Kernel: gemm.Best()}
	for name, c := range map[string]struct {
		spoil func(ts []safetensors.Tensor) []safetensors.Tensor
		want  string
	}{
		"missing": {func(ts []safetensors.Tensor) []safetensors.Tensor { return ts[1:] }, `"model.embed_tokens.weight" is missing`},
		"unknown": {func(ts []safetensors.Tensor) []safetensors.Tensor {
			x := ts[0]
			x.Name = "model.extra"
			return append(ts, x)
		}, `"model.extra" is not known`},
		"shape": {func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[0].Shape = []int{24, 41}
			return ts
		}, "has shape [24 41]"},
		"frequencies": {func(ts []safetensors.Tensor) []safetensors.Tensor {
			x := ts[1]
			x.Name = "model.layers.1.self_attn.rotary_emb.inv_freq"
			return append(ts, x)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newModel(t, tiny(true), exec, Budget{Tokens: 1, Longest: 1})
			dir := t.TempDir()
			if err := m.Save(dir); err != nil {
				t.Fatal(err)
			}
			if err := safetensors.WriteFile(filepath.Join(dir, WeightsFile), c.spoil(m.tensors())); err != nil {
				t.Fatal(err)
			}
			back, err := Load(dir, exec)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				back.Close()
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Load: %v, want %q", err, c.want)
			}
			if _, err := LoadServing(dir, exec); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("LoadServing: %v, want %q", err, c.want)
			}
		})
	}
}

const goodConfig = `{"model_type":"llama","hidden_size":24,"intermediate_size":37,"num_hidden_layers":2,
	"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":41,"max_position_embeddings":32,"torch_dtype":"bfloat16"`

func TestParseConfig(t *testing.T) {
	t.Parallel()
	c, err := ParseConfig([]byte(goodConfig + `,"rope_parameters":{"rope_theta":5e5,"rope_type":"default"},"eos_token_id":[7,8]}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.HeadSize != 6 || c.NormEps != 1e-6 || c.Theta != 5e5 || c.Tied || !slices.Equal(c.EOS, []int{7, 8}) || c.DType != BFloat16 {
		t.Errorf("read %+v", c)
	}
	for _, x := range []struct{ more, want string }{
		{`,"hidden_act":"gelu"}`, "hidden_act"},
		{`,"attention_bias":true}`, ""},
		{`,"rope_scaling":{"factor":8}}`, "rope_scaling"},
		{`,"rope_parameters":{"rope_type":"fancy"}}`, `"fancy"`},
		{`,"model_type":"bert"}`, `"bert" is not known`},
		{`,"torch_dtype":"int8"}`, "torch_dtype"},
		{`,"num_key_value_heads":3}`, "multiple"},
		{`,"head_dim":7}`, "head_dim"},
		{`,"rms_norm_eps":0}`, "epsilon"},
		{`,"rope_theta":0}`, "rope_theta"},
		{`,"hidden_size":0}`, "hidden_size"},
		{`,"hidden_size":32768}`, ""},
		{`,"hidden_size":32769}`, "hidden_size"},
		{`,"intermediate_size":131073}`, "intermediate_size"},
		{`,"num_hidden_layers":257}`, "num_hidden_layers"},
		{`,"num_attention_heads":514}`, "num_attention_heads"},
		{`,"vocab_size":1048577}`, "vocab_size"},
		{`,"max_position_embeddings":2097153}`, "max_position_embeddings"},
		{`,"hidden_size":32768,"intermediate_size":131072,"num_hidden_layers":256}`, "weights are more than"},
		{`,"num_attention_heads":-4}`, "num_attention_heads"},
		{`,"num_attention_heads":0,"head_dim":null}`, "num_attention_heads"},
		{``, "unexpected end"},
	} {
		_, err := ParseConfig([]byte(goodConfig + x.more))
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s: %v, want %q", x.more, err, x.want)
		}
	}
}

func TestConfigTooLong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, extra := range []int{0, 1} {
		b := []byte(goodConfig + "}")
		b = append(b, strings.Repeat(" ", configBytesMax-len(b)+extra)...)
		if err := os.WriteFile(filepath.Join(dir, ConfigFile), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadConfig(dir); (err != nil) != (extra > 0) {
			t.Errorf("%d bytes over the limit: %v", extra, err)
		}
	}
}

func TestBatchRefuses(t *testing.T) {
	t.Parallel()
	m := newModel(t, tiny(true), newExec(t, 1, gemm.Best()), Budget{Tokens: 10, Longest: 6, Train: true})
	for name, b := range map[string]*Batch{
		"token":      {Tokens: []int32{41}, Targets: []int32{0}, Segments: randomBatch(m.Config, 1, 1).Segments},
		"target":     {Tokens: []int32{0}, Targets: []int32{41}, Segments: randomBatch(m.Config, 1, 1).Segments},
		"ignore":     {Tokens: []int32{0}, Targets: []int32{-2}, Segments: randomBatch(m.Config, 1, 1).Segments},
		"targets":    {Tokens: []int32{0}, Segments: randomBatch(m.Config, 1, 1).Segments},
		"uncovered":  {Tokens: []int32{0, 1}, Targets: []int32{0, 1}, Segments: randomBatch(m.Config, 1, 1).Segments},
		"too long":   randomBatch(m.Config, 1, 7),
		"too many":   randomBatch(m.Config, 1, 6, 5),
		"empty part": randomBatch(m.Config, 1, 1, 0),
	} {
		if _, err := m.Accumulate(b, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := m.Accumulate(randomBatch(m.Config, 1, 6, 4), 1); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := m.Evaluate(&Batch{}); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
}

func TestServingRefuses(t *testing.T) {
	t.Parallel()
	m := newModel(t, tiny(true), newExec(t, 1, gemm.Best()), Budget{Tokens: 1, Longest: 1})
	s, other := servingOf(t, m), servingOf(t, m)
	if _, err := s.NewSession(33); err == nil {
		t.Error("a session beyond the model's positions")
	}
	n, err := s.NewSession(4)
	if err != nil {
		t.Fatal(err)
	}
	for name, steps := range map[string][]Step{
		"other model": {{newSession(t, other), []int32{1}}},
		"twice":       {{n, []int32{1}}, {n, []int32{1}}},
		"no tokens":   {{n, nil}},
		"too many":    {{n, []int32{1, 2, 3, 4, 5}}},
		"bad token":   {{n, []int32{41}}},
		"negative":    {{n, []int32{-1}}},
	} {
		if _, err := s.Forward(steps); err == nil || n.Len() != 0 {
			t.Errorf("%s: error %v, %d tokens", name, err, n.Len())
		}
	}
	want := forward(t, s, Step{n, []int32{1, 2, 3, 4}})
	n.Truncate(2)
	if got := forward(t, s, Step{n, []int32{3, 4}}); !sameBits(got, want) {
		t.Error("a truncated session goes on to other logits")
	}
}

// TestPackedEqualsAlone: the loss of packed documents is the sum of their losses alone.
func TestPackedEqualsAlone(t *testing.T) {
	t.Parallel()
	m := newModel(t, tiny(true), newExec(t, 2, gemm.Best()), Budget{Tokens: 40, Longest: 20})
	b := randomBatch(m.Config, 4, 9, 1, 20, 8)
	packed, err := m.Evaluate(b)
	if err != nil {
		t.Fatal(err)
	}
	var alone Loss
	for _, s := range b.Segments {
		one := &Batch{}
		one.Add(b.Tokens[s.Start:s.Start+s.Len], b.Targets[s.Start:s.Start+s.Len])
		l, err := m.Evaluate(one)
		if err != nil {
			t.Fatal(err)
		}
		alone.Add(l)
	}
	if d := packed.Sum - alone.Sum; packed.Tokens != alone.Tokens || d > 1e-9 || d < -1e-9 {
		t.Errorf("packed %v, alone %v", packed, alone)
	}
}

// FuzzParseConfig: no content makes the parser panic, and what it accepts is in range.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(goodConfig + "}"))
	f.Add([]byte(goodConfig + `,"eos_token_id":[],"head_dim":null,"rope_parameters":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseConfig(b)
		if err == nil && (c.Check() != nil || c.Params() > paramsMax) {
			t.Errorf("accepted %+v", c)
		}
	})
}
