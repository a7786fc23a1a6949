package export

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/gguf"
	"outcrop.dev/outcrop/models/catalog/pebble"
)

// usual are the members of most families' config.json.
const usual = `"hidden_size":32,"intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,
	"vocab_size":8192,"max_position_embeddings":64,"torch_dtype":"float32","eos_token_id":[8186,8185]`

// familyDir writes a model with random weights, norms too, of what config says, under
// Pebble's tokenizer.
func familyDir(t *testing.T, config string) string {
	t.Helper()
	c, err := model.ParseConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	pool := tensor.NewPool(1)
	t.Cleanup(pool.Close)
	m, err := model.New(c, nn.Exec{Pool: pool, Kernel: gemm.Best()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Init(3)
	for i, p := range m.Params() {
		for j := range p.W {
			p.W[j] += float32((i+j)%7) / 64
		}
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), pebble.Files()[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// blockOf returns the names of a file's tensors in block 0, without "blk.0.", and outside of blocks.
func blockOf(f *gguf.File) (block, outside []string) {
	for _, x := range f.Tensors {
		if name, ok := strings.CutPrefix(x.Name, "blk.0."); ok {
			block = append(block, name)
		} else if !strings.HasPrefix(x.Name, "blk.") {
			outside = append(outside, x.Name)
		}
	}
	slices.Sort(block)
	slices.Sort(outside)
	return block, outside
}

// TestFamilies: the tensors of each family under llama.cpp's names, and some of its keys.
// That llama.cpp computes the same with them is e2e/run.sh's business.
func TestFamilies(t *testing.T) {
	t.Parallel()
	norms := "attn_norm.weight ffn_norm.weight"
	dense := "attn_k.weight attn_output.weight attn_q.weight attn_v.weight ffn_down.weight ffn_gate.weight ffn_up.weight " + norms
	head := "output.weight output_norm.weight token_embd.weight"
	for name, x := range map[string]struct {
		config, block, outside string
		keys                   map[string]any
	}{
		"llama": {`{"model_type":"llama",` + usual + `,"attention_bias":true}`, dense + " attn_k.bias attn_output.bias attn_q.bias attn_v.bias", head, map[string]any{
			"general.architecture": "llama", "llama.rope.dimension_count": uint32(16), "tokenizer.ggml.eot_token_id": uint32(8185)}},
		"llama3": {`{"model_type":"llama",` + usual + `,"tie_word_embeddings":true,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":32}}`,
			dense, "output_norm.weight rope_freqs.weight token_embd.weight", nil},
		"yarn": {`{"model_type":"llama",` + usual + `,"rope_scaling":{"rope_type":"yarn","factor":4,"original_max_position_embeddings":16}}`, dense, head, map[string]any{
			"llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": float32(4), "llama.rope.scaling.original_context_length": uint32(16)}},
		"linear": {`{"model_type":"llama",` + usual + `,"rope_scaling":{"rope_type":"linear","factor":2}}`, dense, head, map[string]any{"llama.rope.scaling.type": "linear"}},
		"mistral": {`{"model_type":"mistral",` + usual + `,"sliding_window":24}`, dense, head, map[string]any{
			"general.architecture": "llama", "llama.context_length": uint32(24)}},
		"qwen2": {`{"model_type":"qwen2",` + usual + `}`, dense + " attn_k.bias attn_q.bias attn_v.bias", head, map[string]any{"qwen2.attention.head_count_kv": uint32(1)}},
		"qwen3": {`{"model_type":"qwen3",` + usual + `,"head_dim":24}`, dense + " attn_k_norm.weight attn_q_norm.weight", head, map[string]any{"qwen3.attention.key_length": uint32(24)}},
		"phi3": {`{"model_type":"phi3",` + usual + `,"sliding_window":null,"partial_rotary_factor":0.5}`,
			"attn_output.weight attn_qkv.weight ffn_down.weight ffn_up.weight " + norms, head, map[string]any{"phi3.rope.dimension_count": uint32(8)}},
		"longrope": {`{"model_type":"phi3",` + usual + `,"sliding_window":null,"original_max_position_embeddings":32,"rope_scaling":{"type":"longrope","short_factor":[1,1,1,1,1,1,1,2],"long_factor":[3,3,3,3,3,3,3,3]}}`,
			"attn_output.weight attn_qkv.weight ffn_down.weight ffn_up.weight " + norms, head + " rope_factors_long.weight rope_factors_short.weight",
			map[string]any{"phi3.context_length": uint32(32), "phi3.rope.scaling.attn_factor": float32(math.Sqrt(1 + math.Log(2)/math.Log(32)))}},
		"gpt2": {`{"model_type":"gpt2","n_embd":32,"n_layer":2,"n_head":2,"vocab_size":8192,"n_positions":64,"torch_dtype":"float32"}`,
			"attn_norm.bias attn_output.bias attn_output.weight attn_qkv.bias attn_qkv.weight ffn_down.bias ffn_down.weight ffn_norm.bias ffn_up.bias ffn_up.weight " + norms,
			"output_norm.bias output_norm.weight position_embd.weight token_embd.weight", map[string]any{"gpt2.feed_forward_length": uint32(128)}},
		"gpt_neox": {`{"model_type":"gpt_neox",` + usual + `,"rotary_pct":0.5}`,
			"attn_norm.bias attn_output.bias attn_output.weight attn_qkv.bias attn_qkv.weight ffn_down.bias ffn_down.weight ffn_norm.bias ffn_up.bias ffn_up.weight " + norms,
			head + " output_norm.bias", map[string]any{"gptneox.rope.dimension_count": uint32(8), "gptneox.use_parallel_residual": true}},
		"tied gpt_neox": {`{"model_type":"gpt_neox",` + usual + `,"tie_word_embeddings":true}`,
			"attn_norm.bias attn_output.bias attn_output.weight attn_qkv.bias attn_qkv.weight ffn_down.bias ffn_down.weight ffn_norm.bias ffn_up.bias ffn_up.weight " + norms,
			head + " output_norm.bias", nil}, // without output.weight llama.cpp does not load it
		"gemma3": {`{"model_type":"gemma3_text",` + usual + `,"head_dim":16,"query_pre_attn_scalar":16,"sliding_window":8,"tie_word_embeddings":true}`,
			dense + " attn_k_norm.weight attn_q_norm.weight post_attention_norm.weight post_ffw_norm.weight", "output_norm.weight token_embd.weight",
			map[string]any{"gemma3.attention.sliding_window": uint32(8), "gemma3.context_length": uint32(64)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := exported(t, familyDir(t, x.config), Options{})
			block, outside := blockOf(f)
			if want := slices.Sorted(slices.Values(strings.Fields(x.block))); !slices.Equal(block, want) {
				t.Errorf("block %q\nwant  %q", block, want)
			}
			if want := slices.Sorted(slices.Values(strings.Fields(x.outside))); !slices.Equal(outside, want) {
				t.Errorf("outside %q\nwant    %q", outside, want)
			}
			for key, want := range x.keys {
				if got, _ := f.Value(key); got != want {
					t.Errorf("%s is %v, want %v", key, got, want)
				}
			}
		})
	}
	if len(architectures) != 8 {
		t.Errorf("%d families: test the new one here", len(architectures))
	}
}

// TestChanges: what is not copied as it is.
func TestChanges(t *testing.T) {
	t.Parallel()
	const h = 32
	dir := familyDir(t, `{"model_type":"gpt2","n_embd":32,"n_layer":1,"n_head":2,"vocab_size":8192,"n_positions":64,"torch_dtype":"float32"}`)
	f, _ := exported(t, dir, Options{})
	got, _ := f.Float32("blk.0.attn_qkv.weight")
	for i, x := range weights(t, dir, "transformer.h.0.attn.c_attn.weight") { // (32,96)
		if got[i%96*h+i/96] != x {
			t.Fatal("the matrix of gpt2 is not turned")
		}
	}
	dir = familyDir(t, `{"model_type":"gpt_neox",`+usual+`}`)
	f, _ = exported(t, dir, Options{})
	got, _ = f.Float32("blk.1.attn_qkv.weight")
	bias, _ := f.Float32("blk.1.attn_qkv.bias")
	from, fromBias := weights(t, dir, "gpt_neox.layers.1.attention.query_key_value.weight"), weights(t, dir, "gpt_neox.layers.1.attention.query_key_value.bias")
	for kind := range 3 {
		for head := range 2 {
			for d := range 16 {
				to, of := kind*h+head*16+d, head*48+kind*16+d
				if !slices.Equal(got[to*h:(to+1)*h], from[of*h:(of+1)*h]) || bias[to] != fromBias[of] {
					t.Fatalf("kind %d, head %d, channel %d is another row", kind, head, d)
				}
			}
		}
	}
	dir = familyDir(t, `{"model_type":"gemma3_text",`+usual+`,"head_dim":16,"query_pre_attn_scalar":16,"sliding_window":8}`)
	f, _ = exported(t, dir, Options{})
	got, _ = f.Float32("blk.0.attn_q_norm.weight")
	for i, x := range weights(t, dir, "model.layers.0.self_attn.q_norm.weight") {
		if got[i] != x+1 {
			t.Fatal("the norms of gemma3 are not plus one")
		}
	}
}

// TestLlama3Frequencies compares the table with the rule by wavelengths.
func TestLlama3Frequencies(t *testing.T) {
	t.Parallel()
	dir := familyDir(t, `{"model_type":"llama",`+usual+`,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":1024}}`)
	f, _ := exported(t, dir, Options{})
	got, _ := f.Float32("rope_freqs.weight")
	for i, x := range got {
		wave := 2 * math.Pi * math.Pow(10000, float64(2*i)/16)
		want := 1.0
		switch smooth := (1024/wave - 1) / (4 - 1); {
		case wave > 1024:
			want = 8
		case wave > 256:
			want = 1 / ((1-smooth)/8 + smooth)
		}
		if math.Abs(float64(x)-want) > 1e-5*want {
			t.Errorf("factor %d is %g, want %g", i, x, want)
		}
	}
	if got[0] != 1 || got[7] != 8 || !slices.ContainsFunc(got, func(x float32) bool { return x > 1 && x < 8 }) {
		t.Errorf("factors %v", got)
	}
}

// TestFamiliesRefuse: what llama.cpp computes otherwise is refused by name.
func TestFamiliesRefuse(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]string{
		"scaled otherwise":        `{"model_type":"gpt2","n_embd":32,"n_layer":1,"n_head":2,"vocab_size":8192,"n_positions":64,"scale_attn_by_inverse_layer_idx":true}`,
		"not gelu_new":            `{"model_type":"gpt2","n_embd":32,"n_layer":1,"n_head":2,"vocab_size":8192,"n_positions":64,"activation_function":"gelu"}`,
		"llama.cpp's qwen3 has":   `{"model_type":"qwen3",` + usual + `,"head_dim":16,"attention_bias":true}`,
		"hidden_act is silu":      `{"model_type":"gpt_neox",` + usual + `,"hidden_act":"silu"}`,
		"attention_bias is false": `{"model_type":"gpt_neox",` + usual + `,"attention_bias":false}`,
		"takes otherwise":         `{"model_type":"llama",` + usual + `,"rope_scaling":{"rope_type":"yarn","factor":4,"original_max_position_embeddings":16,"beta_fast":16}}`,
		`the type "llama3"`:       `{"model_type":"qwen2",` + usual + `,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":32}}`,
		"but each sixth":          `{"model_type":"gemma3_text",` + usual + `,"head_dim":16,"query_pre_attn_scalar":16,"sliding_window":8,"sliding_window_pattern":2}`,
		"rope_local_base_freq":    `{"model_type":"gemma3_text",` + usual + `,"head_dim":16,"query_pre_attn_scalar":16,"sliding_window":8,"rope_local_base_freq":20000}`,
		"scores are scaled by":    `{"model_type":"gemma3_text",` + usual + `,"head_dim":16,"query_pre_attn_scalar":64,"sliding_window":8}`,
	} {
		if _, err := GGUF(t.Context(), filepath.Join(t.TempDir(), "m.gguf"), Model{Dir: familyDir(t, config)}, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestPrefixes: names of files with more of a model around the text model.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"language_model.model.norm.weight": "output_norm.weight", "model.language_model.layers.3.mlp.up_proj.weight": "blk.3.ffn_up.weight",
		"model.layers.11.self_attn.q_norm.weight": "blk.11.attn_q_norm.weight",
	} {
		if _, got, ok := gemma3.find(name); !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, _, ok := gemma3.find("model.layers.x.mlp.up_proj.weight"); ok {
		t.Error("a layer that is no number")
	}
}

func TestFamiliesAreNamed(t *testing.T) {
	t.Parallel()
	if got := GGUFFamilies(); !slices.Equal(got, slices.Sorted(maps.Keys(architectures))) || !slices.Contains(got, "gpt_neox") {
		t.Errorf("families %q", got)
	}
}
