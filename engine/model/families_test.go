package model

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/safetensors"
)

// tinies are config.json of tiny models, one or more for each family: every switch of the
// block is on in one of them. No number is round; windows are shorter than the documents.
var tinies = map[string]string{
	"llama": `"model_type":"llama"`,
	"llama biases llama3": `"model_type":"llama","attention_bias":true,"mlp_bias":true,"tie_word_embeddings":true,
		"rope_scaling":{"rope_type":"llama3","factor":4.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":16}`,
	"llama yarn":   `"model_type":"llama","head_dim":8,"rope_parameters":{"rope_type":"yarn","rope_theta":1e4,"factor":4,"original_max_position_embeddings":16}`,
	"llama linear": `"model_type":"llama","rope_scaling":{"type":"linear","factor":2.0},"rope_theta":500000.0`,
	"mistral":      `"model_type":"mistral","sliding_window":9`,
	"qwen2":        `"model_type":"qwen2","tie_word_embeddings":true,"use_sliding_window":true,"sliding_window":9,"max_window_layers":1`,
	"qwen3":        `"model_type":"qwen3","head_dim":10`,
	"phi3":         `"model_type":"phi3","head_dim":8,"partial_rotary_factor":0.5,"sliding_window":9`,
	"phi3 longrope": `"model_type":"phi3","original_max_position_embeddings":300,"max_position_embeddings":4000,
		"rope_scaling":{"type":"longrope","short_factor":[1,1.5,2],"long_factor":[3,4,5]}`,
	"gpt2": `"model_type":"gpt2","n_embd":24,"n_inner":37,"n_layer":2,"n_head":4,"n_positions":300`,
	"gpt2 scales": `"model_type":"gpt2","n_embd":24,"n_layer":2,"n_head":4,"n_positions":300,"tie_word_embeddings":false,
		"activation_function":"gelu","scale_attn_weights":false,"scale_attn_by_inverse_layer_idx":true`,
	"gpt_neox":            `"model_type":"gpt_neox","hidden_size":32,"rotary_pct":0.25,"rotary_emb_base":500`,
	"gpt_neox sequential": `"model_type":"gpt_neox","use_parallel_residual":false,"attention_bias":false,"rotary_pct":1.0,"hidden_act":"gelu_new"`,
	"gemma3":              `"model_type":"gemma3_text","head_dim":10,"sliding_window":9,"query_pre_attn_scalar":20,"sliding_window_pattern":2`,
	"gemma3 pictures": `"model_type":"gemma3","eos_token_id":[3,4],"text_config":{"hidden_size":24,"intermediate_size":37,"num_hidden_layers":2,
		"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":41,"max_position_embeddings":300,"head_dim":10,"sliding_window":9,"query_pre_attn_scalar":6,"attention_bias":true,
		"layer_types":["full_attention","sliding_attention"],"rope_parameters":{"full_attention":{"rope_type":"linear","factor":8,"rope_theta":1e6},
		"sliding_attention":{"rope_type":"default","rope_theta":1e4}}}`,
}

// tinyOf returns the config of a tiny model.
func tinyOf(t testing.TB, name string) Config {
	t.Helper()
	c, err := ParseConfig([]byte(`{"hidden_size":24,"intermediate_size":37,"num_hidden_layers":2,"num_attention_heads":4,
		"num_key_value_heads":2,"vocab_size":41,"max_position_embeddings":300,"rms_norm_eps":1e-5,` + tinies[name] + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eachFamily runs f for every tiny model, in parallel.
func eachFamily(t *testing.T, f func(t *testing.T, c Config)) {
	t.Parallel()
	for name := range tinies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, tinyOf(t, name))
		})
	}
}

// TestFamilies: every family has a tiny model.
func TestFamilies(t *testing.T) {
	t.Parallel()
	all := slices.Collect(maps.Values(tinies))
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, `"model_type":"`+name+`"`) }) {
			t.Errorf("there is no tiny model of the family %q", name)
		}
	}
}

// TestFamilyGradients compares the gradient of every tensor with central differences.
func TestFamilyGradients(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		m := newModel(t, c, newExec(t, 2, kernel(t, "ref-f32")), Budget{Tokens: 40, Longest: 20, Train: true})
		b := randomBatch(m.Config, 3, 7, 1, 20, 5)
		if _, err := m.Accumulate(b, 1/float32(b.Trained())); err != nil {
			t.Fatal(err)
		}
		for _, p := range m.Params() {
			checkDirection(t, m, b, p, append([]float32(nil), p.G...), "its gradient")
		}
	})
}

// TestFamilyServing: serving gives the training forward pass's logits, bit for bit, from a
// whole prompt, token by token, and beside another session.
func TestFamilyServing(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		for _, k := range gemm.Kernels() {
			m := newModel(t, c, newExec(t, 2, k), Budget{Tokens: 200, Longest: 200})
			tokens, other := randomBatch(c, 1, 200).Tokens, randomBatch(c, 2, 90).Tokens
			want := trainingLogits(t, m, tokens)
			s := servingOf(t, m)
			row := func(i int) []float32 { return want[i*c.Vocab : (i+1)*c.Vocab] }
			if got := forward(t, s, Step{newSession(t, s), tokens}); !sameBits(got, row(199)) {
				t.Errorf("%s: a whole prompt gives other logits", k.Name())
			}
			one, two := newSession(t, s), newSession(t, s)
			if got := forward(t, s, Step{two, other}, Step{one, tokens[:100]}); !sameBits(got[c.Vocab:], row(99)) {
				t.Errorf("%s: half a prompt beside another gives other logits", k.Name())
			}
			for i := 100; i < 110; i++ {
				if got := forward(t, s, Step{one, tokens[i : i+1]}); !sameBits(got, row(i)) {
					t.Fatalf("%s: token %d alone gives other logits", k.Name(), i)
				}
			}
		}
	})
}

// TestFamilyPrefix: a session that goes on from the beginning of another, cut anywhere, gives the
// training forward pass's logits, bit for bit, and so does the other after it.
func TestFamilyPrefix(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		for _, k := range gemm.Kernels() {
			m := newModel(t, c, newExec(t, 2, k), Budget{Tokens: 200, Longest: 200})
			tokens, other := randomBatch(c, 1, 200).Tokens, randomBatch(c, 2, 90).Tokens
			want := trainingLogits(t, m, tokens)
			s := servingOf(t, m)
			whole := newSession(t, s)
			forward(t, s, Step{whole, tokens[:130]})
			for _, at := range []int{7, 64, 100, 130} {
				n, err := whole.Prefix(at, c.Context)
				if err != nil {
					t.Fatal(err)
				}
				if at == 100 { // another document, which the pages that are shared must not get to know
					forward(t, s, Step{n, other})
				} else if got := forward(t, s, Step{n, tokens[at:]}); !sameBits(got, want[199*c.Vocab:]) {
					t.Errorf("%s: going on from %d tokens of another session gives other logits", k.Name(), at)
				}
			}
			if got := forward(t, s, Step{whole, tokens[130:]}); !sameBits(got, want[199*c.Vocab:]) {
				t.Errorf("%s: a session that others have gone on from gives other logits", k.Name())
			}
		}
	})
}

// TestFamilyPacked: packed documents do not see each other, and one thread and two give the
// same bits, in the loss and in every gradient.
func TestFamilyPacked(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		var loss [2]Loss
		var grads [2][][]float32
		for i := range loss {
			m := newModel(t, c, newExec(t, i+1, gemm.Best()), Budget{Tokens: 150, Longest: 100, Train: true})
			b := randomBatch(c, 4, 100, 1, 30, 19)
			var err error
			if loss[i], err = m.Accumulate(b, 0.01); err != nil {
				t.Fatal(err)
			}
			for _, p := range m.Params() {
				grads[i] = append(grads[i], slices.Clone(p.G))
			}
			var alone Loss
			for _, s := range b.Segments {
				part := &Batch{}
				part.Add(b.Tokens[s.Start:s.Start+s.Len], b.Targets[s.Start:s.Start+s.Len])
				l, err := m.Evaluate(part)
				if err != nil {
					t.Fatal(err)
				}
				alone.Add(l)
			}
			if d := alone.Sum - loss[i].Sum; d > 1e-9 || d < -1e-9 || alone.Tokens != loss[i].Tokens {
				t.Errorf("packed %v, alone %v", loss[i], alone)
			}
		}
		if loss[0] != loss[1] || !reflect.DeepEqual(grads[0], grads[1]) {
			t.Error("two threads give other results than one")
		}
	})
}

// TestFamilySaved: a saved model is read back with the same config and the same weights, in
// training, frozen and in serving, and its tensors have the names and shapes of the family.
func TestFamilySaved(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		c.DType = BFloat16
		exec, dir := newExec(t, 1, gemm.Best()), t.TempDir()
		m := newModel(t, c, exec, Budget{Tokens: 20, Longest: 20})
		for _, p := range m.Params() {
			if !p.Vector {
				roundBF16(p.W)
			}
		}
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		tokens := randomBatch(c, 1, 20).Tokens
		want := trainingLogits(t, m, tokens)
		for name, load := range map[string]func() (*Model, error){
			"Load": func() (*Model, error) { return Load(dir, exec) }, "LoadFrozen": func() (*Model, error) { return LoadFrozen(dir, exec) },
		} {
			back, err := load()
			if err != nil {
				t.Fatal(err)
			}
			defer back.Close()
			if !reflect.DeepEqual(back.Config, c) {
				t.Errorf("%s: wrote %+v, read %+v", name, c, back.Config)
			}
			if err := back.Plan(Budget{Tokens: 20, Longest: 20}); err != nil {
				t.Fatal(err)
			}
			if !sameBits(trainingLogits(t, back, tokens), want) {
				t.Errorf("%s: the loaded model gives other logits", name)
			}
		}
		s, err := LoadServing(dir, exec)
		if err != nil {
			t.Fatal(err)
		}
		if got := forward(t, s, Step{newSession(t, s), tokens}); !sameBits(got, want[19*c.Vocab:]) {
			t.Error("the loaded serving gives other logits")
		}
	})
}

// TestFamilyWritesNoTokens: that a model has no beginning, end or padding is written down, for
// transformers takes what is left out for the family's usual id, which it may not have.
func TestFamilyWritesNoTokens(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		c.BOS, c.EOS, c.Pad = nil, nil, nil
		b, err := families[c.Family].marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(b, &members); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"bos_token_id", "eos_token_id", "pad_token_id"} {
			if string(members[name]) != "null" {
				t.Errorf("%s is %q", name, members[name])
			}
		}
	})
}

// TestOtherNames: weights that were saved without the outermost module, or within a model
// that sees pictures, are found, and what belongs to neither is still refused.
func TestOtherNames(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name, prefix, file string
		more, want         string // a tensor more, and what the error says of it
	}{
		{"gpt2", "transformer.", "", "h.0.attn.bias", ""},
		{"gpt2", "transformer.", "transformer.", "transformer.h.1.attn.masked_bias", ""},
		{"gpt2", "transformer.", "", "lm_head.weight", ""},
		{"gpt2", "transformer.", "", "score.weight", `"score.weight" is not known`},
		{"gpt2 scales", "transformer.", "", "h.2.ln_1.weight", `"h.2.ln_1.weight" is not known`},
		{"gpt_neox", "", "", "gpt_neox.layers.0.attention.bias", ""},
		{"gpt_neox", "", "", "lm_head.weight", `"lm_head.weight" is not known`},
		{"gemma3", "model.", "language_model.model.", "vision_tower.x.weight", ""},
		{"gemma3", "model.", "model.language_model.", "model.multi_modal_projector.x", ""},
		{"gemma3", "model.", "language_model.model.", "audio_tower.x", `"audio_tower.x" is not known`},
		{"llama", "", "", "model.layers.1.self_attn.rotary_emb.inv_freq", ""},
		{"llama", "", "", "model.layers.1.self_attn.q_proj.bias", "is not known"},
	} {
		exec, dir := newExec(t, 1, gemm.Best()), t.TempDir()
		m := newModel(t, tinyOf(t, x.name), exec, Budget{Tokens: 20, Longest: 20})
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		ts := m.tensors()
		for i := range ts {
			if rest, ok := strings.CutPrefix(ts[i].Name, x.prefix); ok {
				ts[i].Name = x.file + rest
			}
		}
		ts = append(ts, safetensors.Tensor{Name: x.more, DType: safetensors.F32, Shape: []int{1}, Data: []float32{1}})
		if err := safetensors.WriteFile(filepath.Join(dir, WeightsFile), ts); err != nil {
			t.Fatal(err)
		}
		back, err := Load(dir, exec)
		if x.want != "" {
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%s with %s: %v, want %q", x.name, x.more, err, x.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s with %s: %v", x.name, x.more, err)
			continue
		}
		defer back.Close()
		for i, p := range back.Params() {
			if !slices.Equal(p.W, m.Params()[i].W) {
				t.Errorf("%s: %s is read as something else", x.name, p.Name)
			}
		}
	}
}

// TestFileOrder: weights are in the file as transformers has them: Conv1D as (in,out), and
// GPT-NeoX's queries, keys and values head by head.
func TestFileOrder(t *testing.T) {
	t.Parallel()
	m := newModel(t, tinyOf(t, "gpt2"), newExec(t, 1, gemm.Best()), Budget{Tokens: 1, Longest: 1})
	w := m.weights.layers[1].GateUp.W
	got := fileTensors(w, w.W)[0]
	if !slices.Equal(got.Shape, []int{24, 37}) || got.Data[5*37+3] != w.W[3*24+5] {
		t.Errorf("c_fc has the shape %v, and %g at (5,3), want %g", got.Shape, got.Data[5*37+3], w.W[3*24+5])
	}
	m = newModel(t, tinyOf(t, "gpt_neox"), newExec(t, 1, gemm.Best()), Budget{Tokens: 1, Longest: 1})
	l, d := m.weights.layers[0].QKV, m.HeadSize
	matrix, bias := fileTensors(l.W, l.W.W)[0], fileTensors(l.Bias, l.Bias.W)[0]
	for kind := range 3 {
		for head := range m.Heads {
			ours, theirs := (kind*m.Heads+head)*d+1, (head*3+kind)*d+1 // channel 1
			if matrix.Data[theirs*m.Hidden+7] != l.W.W[ours*m.Hidden+7] || bias.Data[theirs] != l.Bias.W[ours] {
				t.Errorf("matrix %d of head %d is not where it should be", kind, head)
			}
		}
	}
}

// TestGenerationConfig: the ids that end a text are those of both files.
func TestGenerationConfig(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		eos, generation string
		want            []int
		fails           string
	}{
		{`7`, ``, []int{7}, ""},
		{`[7,8]`, `{"eos_token_id":[8,9]}`, []int{7, 8, 9}, ""},
		{`null`, `{"eos_token_id":5,"temperature":0.6}`, []int{5}, ""},
		{`7`, `{"eos_token_id":null}`, []int{7}, ""},
		{`7`, `{"eos_token_id":"x"}`, nil, GenerationFile},
		{`7`, `{`, nil, GenerationFile},
		{`7`, `{"eos_token_id":[` + strings.Repeat("1,", eosMax) + `2]}`, nil, "eos_token_id"},
	} {
		dir := t.TempDir()
		files := map[string]string{ConfigFile: goodConfig + `,"eos_token_id":` + x.eos + `}`, GenerationFile: x.generation}
		for name, text := range files {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		c, err := ReadConfig(dir)
		if x.fails != "" && (err == nil || !strings.Contains(err.Error(), x.fails)) || x.fails == "" && (err != nil || !slices.Equal(c.EOS, x.want)) {
			t.Errorf("%s and %s: %v, %v", x.eos, x.generation, c.EOS, err)
		}
	}
}

// TestFamilyMeasure: the memory that Measure names is what Plan takes, and Params counts
// what there is.
func TestFamilyMeasure(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		exec, b := newExec(t, 1, gemm.Best()), Budget{Tokens: 30, Longest: 20, Train: true}
		m := newModel(t, c, exec, b)
		if got, want := c.Params(), lengthOf(m.Params()); got != want {
			t.Errorf("Params() = %d of %d", got, want)
		}
		if got := c.Measure(exec, b); got.Weights != 4*c.Params() || got.Gradients != 4*c.Params() || got.Activations != m.measure(exec, m.weights, b) {
			t.Errorf("Measure: %+v", got)
		}
		if c.FLOPs(100) < 6*float64(c.Params()-2*c.Vocab*c.Hidden)/2 {
			t.Errorf("%g operations a token for %d weights", c.FLOPs(100), c.Params())
		}
	})
}

// TestFamilyRefuses: what changes the arithmetic and is not supported is an error that names
// the option.
func TestFamilyRefuses(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ name, more, want string }{
		{"llama", `"quantization_config":{"bits":4}`, "quantization_config"},
		{"llama", `"sliding_window":512`, "sliding_window"},
		{"llama", `"num_experts":8`, "num_experts"},
		{"llama", `"hidden_act":"relu"`, `"relu"`},
		{"llama", `"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":1,"original_max_position_embeddings":8192}`, "low_freq_factor"},
		{"llama", `"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4}`, "original_max_position_embeddings"},
		{"llama", `"rope_scaling":{"rope_type":"linear","factor":0.5}`, "factor"},
		{"llama", `"rope_scaling":{"rope_type":"linear","factor":1}`, ""},
		{"llama", `"rope_scaling":{"rope_type":"dynamic","factor":2}`, ""},
		{"llama", `"rope_scaling":{"rope_type":"longrope","factor":2}`, "original_max_position_embeddings"},
		{"llama", `"rope_scaling":{"rope_type":"mrope"}`, `"mrope"`},
		{"llama", `"rope_scaling":"none"`, "rope_scaling"},
		{"llama", `"partial_rotary_factor":0.5`, "partial_rotary_factor"},
		{"llama", `"eos_token_id":[` + strings.Repeat("1,", eosMax-1) + `1]`, ""},
		{"llama", `"eos_token_id":[` + strings.Repeat("1,", eosMax) + `1]`, "eos_token_id"},
		{"mistral", `"sliding_window":0`, "sliding_window"},
		{"mistral", `"sliding_window":null`, ""},
		{"mistral", `"attention_bias":true`, "attention_bias"},
		{"qwen2", `"layer_types":["full_attention"]`, "layer_types"},
		{"qwen2", `"layer_types":["full_attention","linear_attention"]`, "linear_attention"},
		{"qwen2", `"layer_types":["sliding_attention","full_attention"]`, ""},
		{"qwen3", `"use_qk_norm":true`, "use_qk_norm"},
		{"phi3", `"partial_rotary_factor":0`, "partial_rotary_factor"},
		{"phi3", `"partial_rotary_factor":0.4`, "channels"},
		{"phi3", `"rope_scaling":{"type":"linear","factor":2}`, "linear"},
		{"gpt2", `"n_head":5`, "n_head"},
		{"gpt2", `"n_head":0`, "n_head"},
		{"gpt2", `"activation_function":"relu"`, "gelu_new"},
		{"gpt2", `"add_cross_attention":true`, "add_cross_attention"},
		{"gpt_neox", `"num_attention_heads":5`, "num_attention_heads"},
		{"gpt_neox", `"rotary_pct":0.1`, "that is none"},
		{"gpt_neox", `"rotary_emb_base":0`, "rope_theta"},
		{"gpt_neox", `"hidden_act":"relu"`, "relu"},
		{"gemma3", `"final_logit_softcapping":30.0`, "final_logit_softcapping"},
		{"gemma3", `"use_bidirectional_attention":true`, "use_bidirectional_attention"},
		{"gemma3", `"sliding_window":null`, "sliding_window"},
		{"gemma3", `"sliding_window_pattern":0`, "sliding_window_pattern"},
		{"gemma3", `"rope_parameters":{"sliding_attention":{"rope_type":"linear","factor":2}}`, "rope_parameters.sliding_attention"},
		{"gemma3", `"hidden_activation":"gelu"`, "hidden_activation"},
		{"gemma3 pictures", `"text_config":{"vocab_size":0}`, "vocab_size"},
		{"gemma3 pictures", `"text_config":{"quantization_config":{"bits":4}}`, "quantization_config"},
		{"phi3 longrope", `"rope_scaling":{"type":"su","short_factor":[1,1],"long_factor":[1,1]}`, "short_factor"},
		{"phi3 longrope", `"rope_scaling":{"type":"su","short_factor":[1,1,0],"long_factor":[1,1,1]}`, "short_factor"},
	} {
		var all map[string]json.RawMessage
		text := `{"hidden_size":24,"intermediate_size":37,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
			"vocab_size":41,"max_position_embeddings":300,` + tinies[x.name] + `,` + x.more + `}`
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(all)
		_, err := ParseConfig(b)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s with %s: %v, want %q", x.name, x.more, err, x.want)
		}
	}
}
