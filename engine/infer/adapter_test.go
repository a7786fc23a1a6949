package infer

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// tinyAdapters writes random adapters of the model in base and returns where they are.
func tinyAdapters(t *testing.T, base string, seed uint64) outcrop.ModelFiles {
	t.Helper()
	m, err := model.Load(base, newExec(t, "ref-f32"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.AddLoRA(model.LoRA{Rank: 2, Alpha: 4, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Trainable() {
		for i := range p.W { // B is zero, which would change nothing
			p.W[i] += float32(int(seed)*(i+3)%7-3) / 4
		}
	}
	dir := t.TempDir()
	if err := m.SaveAdapter(dir); err != nil {
		t.Fatal(err)
	}
	digest, err := model.WeightsDigest(base)
	if err != nil {
		t.Fatal(err)
	}
	if err := (model.Base{ModelID: "acme.tiny-v1", SHA256: digest}).Write(dir); err != nil {
		t.Fatal(err)
	}
	return outcrop.ModelFiles{ID: outcrop.ModelID(dir), Dir: dir, BaseID: outcrop.ModelID(base), BaseDir: base}
}

// TestAdapters: adapters share their base model in memory, and what is generated with each, all
// at the same time, is what is generated alone.
func TestAdapters(t *testing.T) {
	t.Parallel()
	base := tinyModel(t, tinyContext, letters)
	models := []outcrop.ModelFiles{filesIn(base), tinyAdapters(t, base, 1), tinyAdapters(t, base, 2)}
	request := func(m outcrop.ModelFiles) outcrop.GenerateRequest {
		req := ask("", "tell me", 20)
		req.Model = m
		return req
	}
	var alone []string
	for _, m := range models {
		alone = append(alone, generate(t, newEngine(t, Options{}), request(m)).Text)
	}
	if alone[0] == alone[1] || alone[1] == alone[2] {
		t.Fatalf("the adapters change nothing: %q", alone)
	}
	e := newEngine(t, Options{})
	var wg sync.WaitGroup
	for range 4 {
		for i, m := range models {
			wg.Go(func() {
				if res, err := e.Generate(context.Background(), request(m), nil); err != nil || res.Text != alone[i] {
					t.Errorf("model %d together with others: %q, %v, alone %q", i, res.Text, err, alone[i])
				}
			})
		}
	}
	wg.Wait()
	if a, b := inMemory(t, e, models[1].Dir), inMemory(t, e, base); a.serving != b.serving || a.scheduler != b.scheduler {
		t.Error("the adapters have a base model of their own")
	}
}

// TestInt8Adapters: over a base of eight bits too an answer is the same alone and beside others, with
// every kernel, and it is the adapters' own.
func TestInt8Adapters(t *testing.T) {
	t.Parallel()
	base := tinyModel(t, longContext, letters)
	models := []outcrop.ModelFiles{filesIn(base), tinyAdapters(t, base, 1), tinyAdapters(t, base, 2)}
	for _, k := range gemm.Kernels() {
		exec := newExec(t, k.Name())
		exec.Int8 = true
		alone, together := newEngine(t, Options{Exec: exec, Sequences: 1, NoReuse: true}), newEngine(t, Options{Exec: exec})
		texts := map[string]bool{}
		var wg sync.WaitGroup
		for i := range 30 {
			seed := uint64(i / 6)
			req := ask("", strings.Repeat("slate ", i/3), 30)
			req.Tenant, req.Model, req.Temperature, req.TopK, req.Seed, req.Logprobs = "a", models[i%3], 1, 10, &seed, 2
			want := generate(t, alone, req)
			texts[want.Text] = true
			wg.Go(func() {
				got, err := together.Generate(context.Background(), req, nil)
				if got.ReusedTokens = 0; err != nil || !same(got, want) {
					t.Errorf("%s, request %d: got %+v, %v; want %+v", k.Name(), i, got, err, want)
				}
			})
		}
		wg.Wait()
		if len(texts) < 28 {
			t.Errorf("%s: only %d of 30 answers differ", k.Name(), len(texts))
		}
	}
}

// TestAdaptersHoldTheirBase: the base model leaves after its last adapters.
func TestAdaptersHoldTheirBase(t *testing.T) {
	t.Parallel()
	base := tinyModel(t, tinyContext, nil)
	one, two := tinyAdapters(t, base, 1), tinyAdapters(t, base, 2)
	e := newEngine(t, Options{})
	for _, m := range []outcrop.ModelFiles{filesIn(base), one, two} {
		if err := e.Load(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	r := inMemory(t, e, base)
	e.Unload(outcrop.ModelID(base))
	e.Unload(outcrop.ModelID(one.Dir))
	if inMemory(t, e, one.Dir) != nil || inMemory(t, e, base) != r {
		t.Fatal("the adapters that nobody holds stay, or the base model of others has left")
	}
	e.Unload(outcrop.ModelID(two.Dir))
	<-r.scheduler.ended
	if inMemory(t, e, base) != nil {
		t.Error("the base model stays")
	}
}

// TestAdaptersOfAnotherModel: adapters are refused beside weights that they were not trained on,
// and the next request tries again.
func TestAdaptersOfAnotherModel(t *testing.T) {
	t.Parallel()
	base := tinyModel(t, tinyContext, nil)
	m := tinyAdapters(t, base, 1)
	e := newEngine(t, Options{})
	other := tinyModel(t, tinyContext, letters)
	wrong := outcrop.ModelFiles{ID: m.ID, Dir: m.Dir, BaseID: outcrop.ModelID(other), BaseDir: other}
	wantCode(t, e.Load(context.Background(), wrong), outcrop.CodeModelError, "trained on acme.tiny-v1")
	wrong.BaseID, wrong.BaseDir = "acme.none-v1", t.TempDir()
	wantCode(t, e.Load(context.Background(), wrong), outcrop.CodeModelError, "config.json")
	wrong = outcrop.ModelFiles{ID: m.ID, Dir: t.TempDir(), BaseID: m.BaseID, BaseDir: base}
	wantCode(t, e.Load(context.Background(), wrong), outcrop.CodeModelError, model.BaseFile)
	if err := e.Load(context.Background(), m); err != nil {
		t.Error(err)
	}
}

// TestBaseIsRestored: adapters that could not be loaded because files of their base were missing are
// loaded once these are back, also if the base stayed in memory; until then the message is the base's.
func TestBaseIsRestored(t *testing.T) {
	t.Parallel()
	base := tinyModel(t, tinyContext, nil)
	m := tinyAdapters(t, base, 1)
	e := newEngine(t, Options{})
	weights := filepath.Join(base, model.WeightsFile)
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(weights, weights+".away")
	err := e.Load(context.Background(), m)
	wantCode(t, err, outcrop.CodeModelError, base)
	if said := err.(*outcrop.Error); strings.Count(said.Msg, "cannot be loaded") != 1 {
		t.Errorf("it says %q", said.Msg)
	}
	move(weights+".away", weights)
	if err := e.Load(context.Background(), filesIn(base)); err != nil {
		t.Fatal(err)
	}
	move(weights, weights+".away")
	wantCode(t, e.Load(context.Background(), m), outcrop.CodeModelError, base)
	move(weights+".away", weights)
	if err := e.Load(context.Background(), m); err != nil {
		t.Errorf("with the files back: %v", err)
	}
}
