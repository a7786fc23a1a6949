package infer

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/tokenizer"
)

// The tiny model's tokens are the 256 bytes and four special ones.
const (
	tinyEOS     = 258
	tinyVocab   = 260
	tinyContext = 96
	pageTokens  = 64 // attention.PageTokens
)

// newExec returns two threads and the named kernel; "" is the best.
func newExec(t testing.TB, kernel string) nn.Exec {
	t.Helper()
	k := gemm.Best()
	if kernel != "" {
		var err error
		if k, err = gemm.ByName(kernel); err != nil {
			t.Fatal(err)
		}
	}
	p := tensor.NewPool(2)
	t.Cleanup(p.Close)
	return nn.Exec{Pool: p, Kernel: k}
}

// tinyModel writes a random model and returns its directory. Its logits are uneven enough
// to speak; change, if not nil, alters the weights by name.
func tinyModel(t testing.TB, context int, change func(name string, w []float32)) string {
	t.Helper()
	c := model.Config{
		Family: "llama", Hidden: 16, FFN: 24, Layers: 2, Heads: 2, KVHeads: 1, HeadSize: 8, Vocab: tinyVocab,
		Context: context, NormEps: 1e-5, Theta: 10000, DType: model.Float32,
	}
	dir := saveModel(t, c, func(p *nn.Param) {
		if !p.Vector {
			scale(p.W, 25) // from a standard deviation of 0.02 to 0.5
		}
		if change != nil {
			change(p.Name, p.W)
		}
	})
	writeTokenizer(t, dir)
	return dir
}

// saveModel writes a random model, each of whose weights change has altered, and returns
// its directory.
func saveModel(t testing.TB, c model.Config, change func(*nn.Param)) string {
	t.Helper()
	m, err := model.New(c, newExec(t, "ref-f32"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Init(7)
	for _, p := range m.Params() {
		change(p)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func scale(w []float32, by float32) {
	for i := range w {
		w[i] *= by
	}
}

// letters keeps a model to lower-case letters: its logits for anything else are 0.
func letters(name string, w []float32) {
	if name != "lm_head.weight" {
		return
	}
	for id := range tinyVocab {
		if id < 'a' || id > 'z' {
			clear(w[id*16 : (id+1)*16])
		}
	}
}

func writeTokenizer(t testing.TB, dir string) {
	t.Helper()
	vocab := map[string]int{}
	for b := range 256 {
		vocab[tokenizer.EncodeByteLevel([]byte{byte(b)})] = b
	}
	var added []map[string]any
	for i, s := range []string{"<|bos|>", "<|sep|>", "<|eos|>", "<|pad|>"} {
		added = append(added, map[string]any{"id": 256 + i, "content": s, "special": true})
	}
	b, err := json.Marshal(map[string]any{
		"added_tokens":  added,
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// never is an AfterFunc whose time never comes.
func never(time.Duration, func()) func() bool { return func() bool { return true } }

// newEngine returns an engine for tests: models stay, seeds are 1.
func newEngine(t testing.TB, opt Options) *Engine {
	t.Helper()
	if opt.Exec.Pool == nil {
		opt.Exec = newExec(t, "")
	}
	if opt.AfterFunc == nil {
		opt.AfterFunc = never
	}
	if opt.Seed == nil {
		opt.Seed = func() uint64 { return 1 }
	}
	e := New(opt)
	t.Cleanup(e.Close)
	return e
}

// filesIn returns a whole model in a directory, which has its name from there.
func filesIn(dir string) outcrop.ModelFiles {
	return outcrop.ModelFiles{ID: outcrop.ModelID(dir), Dir: dir}
}

// ask is a greedy request.
func ask(dir, prompt string, tokens int) outcrop.GenerateRequest {
	return outcrop.GenerateRequest{
		Model: filesIn(dir), Messages: []outcrop.Message{outcrop.Text(outcrop.RoleUser, prompt)}, MaxTokens: tokens, TopP: 1,
	}
}

func generate(t testing.TB, e *Engine, req outcrop.GenerateRequest) outcrop.GenerateResult {
	t.Helper()
	res, err := e.Generate(context.Background(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// same reports whether two results are the same, bit for bit.
func same(a, b outcrop.GenerateResult) bool { return reflect.DeepEqual(a, b) }

// watch calls before, with the steps, whenever the model in dir is run.
func watch(t testing.TB, e *Engine, dir string, before func(steps []model.Step)) {
	t.Helper()
	if err := e.Load(context.Background(), filesIn(dir)); err != nil {
		t.Fatal(err)
	}
	r := inMemory(t, e, dir)
	forward := r.scheduler.forward
	r.scheduler.forward = func(steps []model.Step) ([]float32, error) {
		before(steps)
		return forward(steps)
	}
}

func wantCode(t testing.TB, err error, code outcrop.Code, parts ...string) {
	t.Helper()
	if outcrop.CodeOf(err) != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%v does not say %q", err, p)
		}
	}
}
