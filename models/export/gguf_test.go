package export

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/format/gguf"
	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/tinymodel"
)

// tiny writes a small Llama under Pebble's tokenizer: 32 wide, 2 heads of 16, 1 of them keyed.
func tiny(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := tinymodel.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func exported(t *testing.T, dir string, o Options) (*gguf.File, Report) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "new", "m.gguf") // as of Directory, the folder need not be there
	r, err := GGUF(t.Context(), to, Model{Dir: dir}, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if r.Bytes != int64(len(b)) || r.Tensors != len(f.Tensors) || r.Path != to {
		t.Errorf("report %+v of %d bytes, %d tensors", r, len(b), len(f.Tensors))
	}
	return f, r
}

func weights(t *testing.T, dir, name string) []float32 {
	t.Helper()
	set, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	info, _ := set.Info(name)
	x := make([]float32, info.Elements())
	if err := set.ReadFloat32(name, x); err != nil {
		t.Fatal(err)
	}
	return x
}

// TestGGUFOfLlama: keys, names, types and values as llama.cpp wants them.
func TestGGUFOfLlama(t *testing.T) {
	t.Parallel()
	dir := tiny(t)
	f, r := exported(t, dir, Options{Name: "small"})
	for key, want := range map[string]any{
		"general.architecture": "llama", "general.name": "small", "general.file_type": uint32(32), "llama.context_length": uint32(tinymodel.Context),
		"llama.embedding_length": uint32(32), "llama.block_count": uint32(2), "llama.feed_forward_length": uint32(64),
		"llama.attention.head_count": uint32(2), "llama.attention.head_count_kv": uint32(1), "llama.rope.dimension_count": uint32(16),
		"llama.rope.freq_base": float32(10000), "llama.attention.layer_norm_rms_epsilon": float32(1e-5), "llama.vocab_size": uint32(8192),
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smaug-bpe", "tokenizer.ggml.eos_token_id": uint32(8186),
		"tokenizer.ggml.bos_token_id": uint32(8184), "tokenizer.ggml.add_bos_token": false,
	} {
		if got, _ := f.Value(key); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	if len(r.Notes) != 0 {
		t.Errorf("notes %q", r.Notes)
	}
	if v, _ := f.Value("tokenizer.chat_template"); !strings.Contains(v.(string), "<|sep|>") {
		t.Errorf("template %v", v)
	}
	var names []string
	for _, x := range f.Tensors {
		names = append(names, x.Name)
		if want := map[bool]gguf.Type{true: gguf.F32, false: gguf.BF16}[len(x.Shape) == 1]; x.Type != want {
			t.Errorf("%s is %s", x.Name, x.Type)
		}
	}
	if want := []string{"token_embd.weight", "blk.0.attn_norm.weight", "blk.0.ffn_down.weight"}; !slices.Equal(names[:3], want) || len(names) != 20 {
		t.Errorf("tensors %q", names)
	}
	v, _ := f.Float32("blk.1.attn_v.weight")
	if !slices.Equal(v, weights(t, dir, "model.layers.1.self_attn.v_proj.weight")) {
		t.Error("the values have other weights")
	}
}

// TestGGUFTurnsPairs: dimension i of a head and dimension i+8 stand side by side.
func TestGGUFTurnsPairs(t *testing.T) {
	t.Parallel()
	dir := tiny(t)
	f, _ := exported(t, dir, Options{})
	for _, x := range []struct {
		to, from string
		heads    int
	}{{"blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight", 2}, {"blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight", 1}} {
		got, _ := f.Float32(x.to)
		want := weights(t, dir, x.from)
		const d, c = 16, 32
		for head := range x.heads {
			for i := range d / 2 {
				for half := range 2 {
					to, from := (head*d+2*i+half)*c, (head*d+i+half*d/2)*c
					if !slices.Equal(got[to:to+c], want[from:from+c]) {
						t.Fatalf("%s: head %d, pair %d, half %d is another row", x.to, head, i, half)
					}
				}
			}
		}
	}
}

func TestGGUFTypes(t *testing.T) {
	t.Parallel()
	dir := tiny(t)
	want := weights(t, dir, "model.layers.0.mlp.up_proj.weight")
	for _, typ := range []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0} {
		f, _ := exported(t, dir, Options{Type: &typ})
		got, _ := f.Float32("blk.0.ffn_up.weight")
		worst, largest := float32(0), float32(0)
		for i := range want {
			worst, largest = max(worst, want[i]-got[i], got[i]-want[i]), max(largest, want[i], -want[i])
		}
		// bfloat16 values are exact in all types but 8-bit blocks, and halves above 2^-14.
		if limit := map[gguf.Type]float32{gguf.Q8_0: largest / 127, gguf.F16: 0x1p-24}[typ]; worst > limit {
			t.Errorf("%s: off by %g", typ, worst)
		}
	}
}

// TestGGUFKeepsTheFilesType: halves stay halves, whatever config.json says.
func TestGGUFKeepsTheFilesType(t *testing.T) {
	t.Parallel()
	dir := tiny(t)
	set, err := safetensors.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	var tensors []safetensors.Tensor
	for _, name := range set.Names() {
		info, _ := set.Info(name)
		x := make([]float32, info.Elements())
		if err := set.ReadFloat32(name, x); err != nil {
			t.Fatal(err)
		}
		x[0] = 1 + 0x1p-10 // which bfloat16 cannot hold
		tensors = append(tensors, safetensors.Tensor{Name: name, DType: safetensors.F16, Shape: info.Shape, Data: x})
	}
	if err := safetensors.WriteFile(filepath.Join(dir, safetensors.SingleFile), tensors); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, "config.json"), func(f map[string]any) { f["torch_dtype"] = "float16" })
	f, _ := exported(t, dir, Options{})
	x, _ := f.Float32("blk.0.ffn_up.weight")
	if kind, _ := f.Value("general.file_type"); kind != uint32(1) || x[0] != 1+0x1p-10 {
		t.Errorf("file type %v, value %v", kind, x[0])
	}
}

// TestGGUFNotesComposition: Qwen's and Pythia's tokenizers compose characters, llama.cpp does not.
func TestGGUFNotesComposition(t *testing.T) {
	t.Parallel()
	dir := tiny(t)
	edit(t, filepath.Join(dir, "tokenizer.json"), func(f map[string]any) { f["normalizer"] = map[string]any{"type": "NFC"} })
	if _, r := exported(t, dir, Options{}); !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "NFC") }) {
		t.Errorf("notes %q", r.Notes)
	}
}

// TestGGUFRefuses: what llama.cpp has no word for is an error that names it, and nothing is
// written over.
func TestGGUFRefuses(t *testing.T) {
	t.Parallel()
	to := filepath.Join(t.TempDir(), "m.gguf")
	for want, spoil := range map[string]func(map[string]any){
		"Unigram tokenizer": func(f map[string]any) { f["model"].(map[string]any)["type"] = "Unigram" },
		"no pre-tokenizer that cuts": func(f map[string]any) {
			f["pre_tokenizer"] = map[string]any{"type": "ByteLevel", "add_prefix_space": true}
		},
		"its normalizer Lowercase": func(f map[string]any) {
			f["normalizer"] = map[string]any{"type": "Sequence", "normalizers": []any{map[string]any{"type": "NFC"}, map[string]any{"type": "Lowercase"}}}
		},
		"does not cut text by Digits": func(f map[string]any) {
			sentencePiece(f)
			f["pre_tokenizer"] = map[string]any{"type": "Sequence", "pretokenizers": []any{map[string]any{"type": "Metaspace"}, map[string]any{"type": "Digits"}}}
		},
		"neither byte-level nor":        func(f map[string]any) { f["pre_tokenizer"] = nil },
		"has id 8192, and the model ha": func(f map[string]any) { f["model"].(map[string]any)["vocab"].(map[string]any)["zz"] = 8192 },
		"has id 8193, and the model ha": func(f map[string]any) { addToken(f, 8193, false) },
	} {
		dir := tiny(t)
		edit(t, filepath.Join(dir, "tokenizer.json"), spoil)
		if _, err := GGUF(t.Context(), to, Model{Dir: dir}, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused model has left a file: %v", err)
	}
	if err := os.WriteFile(to, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := GGUF(t.Context(), to, Model{Dir: tiny(t)}, Options{}); !errors.Is(err, ErrExists) {
		t.Errorf("a file was written over: %v", err)
	}
}

func addToken(f map[string]any, id int, special bool) {
	f["added_tokens"] = append(f["added_tokens"].([]any), map[string]any{"id": id, "content": "<more>", "special": special})
}

// TestGGUFLeavesOutWhatHasNoEmbedding: a special token beyond the embedding, as the small Gemma 3s
// have one for pictures, is not written.
func TestGGUFLeavesOutWhatHasNoEmbedding(t *testing.T) {
	t.Parallel()
	dir := tiny(t)
	edit(t, filepath.Join(dir, "tokenizer.json"), func(f map[string]any) { addToken(f, 8192, true) })
	f, _ := exported(t, dir, Options{})
	if tokens, _ := f.Value("tokenizer.ggml.tokens"); reflect.ValueOf(tokens).Len() != 8192 {
		t.Errorf("%d tokens, want as many as the embedding has rows", reflect.ValueOf(tokens).Len())
	}
}

func edit(t *testing.T, path string, change func(map[string]any)) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	change(v)
	if b, err = json.Marshal(v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sentencePiece turns a directory's tokenizer into one of Llama 2's kind.
func sentencePiece(f map[string]any) {
	f["normalizer"] = map[string]any{"type": "Sequence", "normalizers": []any{map[string]any{"type": "Prepend", "prepend": "▁"}}}
	f["pre_tokenizer"] = nil
	f["post_processor"] = map[string]any{"type": "TemplateProcessing", "single": []any{
		map[string]any{"SpecialToken": map[string]any{"id": "<s>"}}, map[string]any{"Sequence": map[string]any{"id": "A"}}}}
	f["added_tokens"] = []any{map[string]any{"id": 1, "content": "<s>", "special": true}, map[string]any{"id": 7, "content": "<x>", "special": false}}
	f["model"] = map[string]any{"type": "BPE", "byte_fallback": true, "unk_token": "<unk>",
		"vocab":  map[string]any{"<unk>": 0, "<s>": 1, "<0x0A>": 2, "▁": 3, "a": 4, "▁a": 5, "aa": 6},
		"merges": []any{"▁ a", []any{"a", "a"}}}
}

func TestGGUFSentencePiece(t *testing.T) {
	t.Parallel()
	dir := tiny(t)
	edit(t, filepath.Join(dir, "tokenizer.json"), sentencePiece)
	f, r := exported(t, dir, Options{})
	value := func(key string) any { v, _ := f.Value("tokenizer.ggml." + key); return v }
	if value("model") != "llama" || value("add_space_prefix") != true || value("add_bos_token") != true || len(r.Notes) != 0 {
		t.Errorf("model %v, prefix %v, bos %v, notes %q", value("model"), value("add_space_prefix"), value("add_bos_token"), r.Notes)
	}
	if got := value("token_type").([]int32)[:9]; !slices.Equal(got, []int32{2, 3, 6, 1, 1, 1, 1, 4, 5}) {
		t.Errorf("types %v", got)
	}
	scores := value("scores").([]float32)
	if scores[5] != 0 || scores[6] != -1 || scores[4] >= -1 || len(scores) != 8192 {
		t.Errorf("scores %v", scores[:8])
	}
	if got := value("tokens").([]string); got[5] != "▁a" || got[8191] != "[PAD8191]" {
		t.Errorf("tokens %q, %q", got[:8], got[8191])
	}
}

// TestInterrupted: when the context ends, nothing is left, neither of a file nor of a directory.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	dir, parent := tiny(t), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, first := GGUF(ctx, filepath.Join(parent, "m.gguf"), Model{Dir: dir}, Options{})
	_, second := Directory(ctx, filepath.Join(parent, "m"), Model{Dir: dir})
	if entries, _ := os.ReadDir(parent); !errors.Is(first, context.Canceled) || !errors.Is(second, context.Canceled) || len(entries) > 0 {
		t.Errorf("errors %v, %v, left %v", first, second, entries)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir, to := tiny(t), filepath.Join(t.TempDir(), "new", "out")
	if err := os.WriteFile(filepath.Join(dir, "outcrop.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	licence := []string{"LICENSE.txt", "NOTICE.md", "USE_POLICY.md"} // Llama's, Phi's
	for _, name := range licence {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Directory(t.Context(), to, Model{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range licence {
		if _, err := os.Stat(filepath.Join(to, name)); err != nil {
			t.Error(err)
		}
	}
	if r.Tensors != 20 || r.Bytes < 1000 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(filepath.Join(to, "outcrop.json")); err == nil {
		t.Error("a file that is ours alone was exported")
	}
	if !slices.Equal(weights(t, to, "model.norm.weight"), weights(t, dir, "model.norm.weight")) {
		t.Error("other weights")
	}
	if _, err := Directory(t.Context(), to, Model{Dir: dir}); !errors.Is(err, ErrExists) {
		t.Errorf("written over: %v", err)
	}
	if _, err := Directory(t.Context(), filepath.Join(t.TempDir(), "x"), Model{Dir: t.TempDir()}); err == nil {
		t.Error("a directory without a model was exported")
	}
	entries, _ := os.ReadDir(filepath.Dir(to))
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}
