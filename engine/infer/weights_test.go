package infer

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
)

// weightBytes is what the tiny model in dir takes.
func weightBytes(t *testing.T, dir string) int64 {
	t.Helper()
	c, err := model.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	return int64(c.ServingBytes(newExec(t, "")))
}

// in reports which of the models are in memory, in the order given.
func in(t *testing.T, e *Engine, dirs ...string) (there []bool) {
	t.Helper()
	for _, dir := range dirs {
		there = append(there, inMemory(t, e, dir) != nil)
	}
	return there
}

// TestLeastRecentLeaves: there is room for two models, and the third takes that of the one which
// was used longest ago, but for those that a Load holds.
func TestLeastRecentLeaves(t *testing.T) {
	t.Parallel()
	a, b, c := tinyModel(t, tinyContext, nil), tinyModel(t, tinyContext, nil), tinyModel(t, tinyContext, nil)
	e := newEngine(t, Options{WeightBytes: 2 * weightBytes(t, a)})
	for _, dir := range []string{a, b, a, c} {
		generate(t, e, ask(dir, "x", 3))
	}
	if got := in(t, e, a, b, c); !slices.Equal(got, []bool{true, false, true}) {
		t.Errorf("in memory are %v", got)
	}
	if err := e.Load(context.Background(), filesIn(a)); err != nil {
		t.Fatal(err)
	}
	generate(t, e, ask(c, "x", 3))
	generate(t, e, ask(b, "x", 3))
	if got := in(t, e, a, b, c); !slices.Equal(got, []bool{true, true, false}) {
		t.Errorf("in memory are %v", got)
	}
	if err := e.Load(context.Background(), filesIn(b)); err != nil {
		t.Fatal(err)
	}
	_, err := e.Generate(context.Background(), ask(c, "x", 3), nil)
	wantCode(t, err, outcrop.CodeModelNotReady, "0 B are left", "--model-memory")
	e.Unload(outcrop.ModelID(b))
	generate(t, e, ask(c, "x", 3))
}

// TestUsedModelsStay: a model that answers is not driven out.
func TestUsedModelsStay(t *testing.T) {
	t.Parallel()
	a, b := tinyModel(t, tinyContext, letters), tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{WeightBytes: weightBytes(t, a)})
	steps := 0
	watch(t, e, a, func([]model.Step) {
		if steps++; steps == 3 {
			e.Unload(outcrop.ModelID(a)) // from now on nothing but this request holds it
			_, err := e.Generate(context.Background(), ask(b, "x", 3), nil)
			wantCode(t, err, outcrop.CodeModelNotReady)
		}
	})
	if got := generate(t, e, ask(a, "x", 20)); got.OutputTokens != 20 || steps < 3 {
		t.Errorf("%+v in %d steps", got, steps)
	}
	generate(t, e, ask(b, "x", 3))
}

// TestWeightBytes: a model that takes all there is may be used, one byte less and it may not.
func TestWeightBytes(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	need := weightBytes(t, dir)
	generate(t, newEngine(t, Options{WeightBytes: need}), ask(dir, "x", 3))
	_, err := newEngine(t, Options{WeightBytes: need - 1}).Generate(context.Background(), ask(dir, "x", 3), nil)
	wantCode(t, err, outcrop.CodeModelError, "all models together", "--model-memory")
}

// TestAdaptersLeaveWithTheirBase: what nobody uses any more goes, base and adapters, and counts no more.
func TestAdaptersLeaveWithTheirBase(t *testing.T) {
	t.Parallel()
	base, other := tinyModel(t, tinyContext, nil), tinyModel(t, tinyContext, nil)
	req := ask(base, "x", 3)
	req.Model = tinyAdapters(t, base, 1)
	e := newEngine(t, Options{WeightBytes: weightBytes(t, base)})
	generate(t, e, req)
	generate(t, e, ask(other, "x", 3))
	if got := in(t, e, base, req.Model.Dir, other); !slices.Equal(got, []bool{false, false, true}) {
		t.Errorf("in memory are %v", got)
	}
	generate(t, e, req)
	e.Close()
	if e.weights.counted != 0 || e.weights.leaving != 0 {
		t.Errorf("%d bytes are counted of no model, %d leave", e.weights.counted, e.weights.leaving)
	}
}

// TestNothingLeavesInVain: models that nobody uses stay where their room would not be enough, and
// so do adapters of a model that stays itself.
func TestNothingLeavesInVain(t *testing.T) {
	t.Parallel()
	held, idle, large := tinyModel(t, tinyContext, nil), tinyModel(t, tinyContext, nil), largerModel(t)
	size := weightBytes(t, held)
	adapted := ask(held, "x", 3)
	adapted.Model = tinyAdapters(t, held, 1)
	e := newEngine(t, Options{WeightBytes: weightBytes(t, large) + size - 1})
	if err := e.Load(context.Background(), filesIn(held)); err != nil {
		t.Fatal(err)
	}
	generate(t, e, adapted)
	generate(t, e, ask(idle, "x", 3))
	_, err := e.Generate(context.Background(), ask(large, "x", 3), nil)
	wantCode(t, err, outcrop.CodeModelNotReady)
	if got := in(t, e, held, adapted.Model.Dir, idle); !slices.Equal(got, []bool{true, true, true}) {
		t.Errorf("in memory are %v", got)
	}
	e.Unload(outcrop.ModelID(held))
	generate(t, e, ask(large, "x", 3))
	if got := in(t, e, held, adapted.Model.Dir, large); !slices.Equal(got, []bool{false, false, true}) {
		t.Errorf("in memory are %v", got)
	}

	e = newEngine(t, Options{WeightBytes: 2 * size})
	if err := e.Load(context.Background(), filesIn(held)); err != nil {
		t.Fatal(err)
	}
	generate(t, e, adapted)
	generate(t, e, ask(idle, "x", 3))
	generate(t, e, ask(tinyModel(t, tinyContext, nil), "x", 3))
	if got := in(t, e, held, adapted.Model.Dir, idle); !slices.Equal(got, []bool{true, true, false}) {
		t.Errorf("in memory are %v", got)
	}
}

// largerModel is a tinyModel of about twice the size.
func largerModel(t *testing.T) string {
	t.Helper()
	c, err := model.ReadConfig(tinyModel(t, tinyContext, nil))
	if err != nil {
		t.Fatal(err)
	}
	c.FFN *= 10
	dir := saveModel(t, c, func(*nn.Param) {})
	writeTokenizer(t, dir)
	return dir
}

// TestNoMemory: what the system refuses is not the model's fault.
func TestNoMemory(t *testing.T) {
	t.Parallel()
	wantCode(t, cannotLoad(fmt.Errorf("map an arena: %w", unix.ENOMEM)), outcrop.CodeModelNotReady, "no memory", "--model-memory")
	wantCode(t, cannotLoad(fmt.Errorf("open: %w", unix.ENOENT)), outcrop.CodeModelError, "Restore its directory")
}
