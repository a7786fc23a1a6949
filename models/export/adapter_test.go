package export

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// adapter writes an adapter of rank 3 for q_proj and down_proj of the model in base.
func adapter(t *testing.T, base string) (dir string, exec nn.Exec) {
	t.Helper()
	pool := tensor.NewPool(1)
	t.Cleanup(pool.Close)
	exec = nn.Exec{Pool: pool, Kernel: gemm.Best()}
	m, err := model.Load(base, exec)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.AddLoRA(model.LoRA{Rank: 3, Alpha: 6, Targets: []string{"q_proj", "down_proj"}}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range m.Trainable() {
		for i := range p.W {
			p.W[i] = float32(r.NormFloat64())
		}
	}
	dir = t.TempDir()
	if err := m.SaveAdapter(dir); err != nil {
		t.Fatal(err)
	}
	return dir, exec
}

// TestAdapterIsMerged: the weights that have an adapter are W + 2·B·A, the others W.
func TestAdapterIsMerged(t *testing.T) {
	t.Parallel()
	base := tiny(t)
	dir, exec := adapter(t, base)
	const card = "---\nlibrary_name: %s\n---\n"
	if err := os.WriteFile(filepath.Join(dir, "README.md"), fmt.Appendf(nil, card, "peft"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "out")
	r, err := Directory(t.Context(), to, Model{Dir: dir, Base: base, Exec: exec})
	if err != nil {
		t.Fatal(err)
	}
	if r.Tensors != 20 {
		t.Errorf("%+v", r)
	}
	for _, same := range []string{"model.embed_tokens.weight", "model.layers.1.self_attn.k_proj.weight"} {
		if !slices.Equal(weights(t, to, same), weights(t, base, same)) {
			t.Errorf("%s has changed", same)
		}
	}
	const module, in, out, rank = "model.layers.1.mlp.down_proj", 64, 32, 3
	a := adapterWeights(t, dir, module+".lora_A.weight")
	b := adapterWeights(t, dir, module+".lora_B.weight")
	w, got := weights(t, base, module+".weight"), weights(t, to, module+".weight")
	for i := range out {
		for j := range in {
			want := float64(w[i*in+j])
			for k := range rank {
				want += 2 * float64(b[i*rank+k]) * float64(a[k*in+j])
			}
			if d := math.Abs(float64(got[i*in+j]) - want); d > math.Abs(want)/256+1e-6 { // bfloat16
				t.Fatalf("weight %d,%d is %g, want %g", i, j, got[i*in+j], want)
			}
		}
	}
	if got, err := os.ReadFile(filepath.Join(to, "README.md")); err != nil || string(got) != fmt.Sprintf(card, "transformers") {
		t.Errorf("card %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(to, "tokenizer.json")); err != nil {
		t.Error(err)
	}
}

func adapterWeights(t *testing.T, dir, name string) []float32 {
	t.Helper()
	// OpenDir wants a model's name for the file.
	as := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, model.AdapterWeightsFile), filepath.Join(as, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	return weights(t, as, "base_model.model."+name)
}

func TestAdapterAsGGUF(t *testing.T) {
	t.Parallel()
	base := tiny(t)
	dir, exec := adapter(t, base)
	whole := filepath.Join(t.TempDir(), "whole")
	m := Model{Dir: dir, Base: base, Exec: exec}
	if _, err := Directory(t.Context(), whole, m); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "m.gguf")
	if _, err := GGUF(t.Context(), to, m, Options{}); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "m.gguf")
	if _, err := GGUF(t.Context(), plain, Model{Dir: whole}, Options{Name: filepath.Base(dir)}); err != nil {
		t.Fatal(err)
	}
	a, errA := os.ReadFile(to)
	b, errB := os.ReadFile(plain)
	if errA != nil || errB != nil || !slices.Equal(a, b) {
		t.Errorf("the adapter's GGUF is not that of the merged model: %v, %v", errA, errB)
	}
	entries, _ := os.ReadDir(filepath.Dir(to))
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestAdapterAlone(t *testing.T) {
	t.Parallel()
	base := tiny(t)
	dir, _ := adapter(t, base)
	to := filepath.Join(t.TempDir(), "out")
	r, err := Adapter(t.Context(), to, Model{Dir: dir, Base: base})
	if err != nil || r.Tensors != 8 || r.Bytes == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	c, err := model.ReadConfig(base)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := model.CheckAdapter(to, c); err != nil || l.Rank != 3 {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := Adapter(t.Context(), filepath.Join(t.TempDir(), "x"), Model{Dir: base}); err == nil || !strings.Contains(err.Error(), "has no adapter") {
		t.Errorf("error %v", err)
	}
}
