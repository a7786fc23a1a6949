package train

import (
	"math"
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// upwards writes a model that has learnt to count upwards, as bfloat16, and returns its directory.
func upwards(t *testing.T) string {
	t.Helper()
	tr, dir := newTrainer(t, setup{threads: 2, micro: 64, rate: 1e-2, steps: 100}), t.TempDir()
	run(t, tr, 100)
	if err := tr.model.Save(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// downwards are examples that count downwards.
func downwards() []Example {
	es := examples(20)
	for _, e := range es {
		for i := range e.Tokens {
			if e.Tokens[i] = 49 - e.Tokens[i]; e.Targets[i] >= 0 {
				e.Targets[i] = 49 - e.Targets[i]
			}
		}
	}
	return es
}

// tuned tunes the model in dir with kernel k, in steps that together move a weight by a fraction of
// its cell. It returns by how much the loss of the masters falls, and that of what is saved.
func tuned(t *testing.T, dir string, k *gemm.Kernel, dither bool) (masters, saved float64) {
	t.Helper()
	pool := tensor.NewPool(2)
	t.Cleanup(pool.Close)
	exec := nn.Exec{Pool: pool, Kernel: k}
	m, err := model.Load(dir, exec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	o := FineTune(20, 1e-6, 0)
	o.Dither, o.Seed = dither, 1
	tr, err := New(m, &Rows{All: downwards(), BatchSize: 20, Epochs: 20, Seed: 3}, 20, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	before := evaluated(t, tr)
	run(t, tr, 20)
	masters = before - evaluated(t, tr)
	out := t.TempDir()
	if err := m.Save(out); err != nil {
		t.Fatal(err)
	}
	again, err := model.Load(out, exec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	asSaved, err := New(again, Repeat(downwards()), 20, FineTune(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { asSaved.Close() })
	return masters, before - evaluated(t, asSaved)
}

func evaluated(t *testing.T, tr *Trainer) float64 {
	t.Helper()
	l, err := tr.Evaluate(downwards())
	if err != nil {
		t.Fatal(err)
	}
	return l.Mean()
}

// lostMost is the share of float32's gain below which most of it is lost. How much a kernel that rounds
// keeps of so few steps is its own: 6 to 9 % with assembly, 28 % without.
const lostMost = 0.5

// TestDitherLearns: tuned at a small rate, a model that was saved as bfloat16 learns little with a kernel
// that rounds. With one that does not it learns, and loses that when it is saved. With dithered masters
// every kernel learns as much as float32 does, and what is saved keeps it.
func TestDitherLearns(t *testing.T) {
	t.Parallel()
	dir := upwards(t)
	gain, _ := tuned(t, dir, kernelOf(t, "ref-f32"), false)
	if gain < 0.003 {
		t.Fatalf("float32 gains %g: there is nothing to compare with", gain)
	}
	for _, k := range gemm.Kernels() {
		masters, saved := tuned(t, dir, k, false)
		t.Logf("%s gains %.5f, saved %.5f", k.Name(), masters, saved)
		if k.BF16() && masters > lostMost*gain || !k.BF16() && masters < 0.9*gain || saved > lostMost*gain {
			t.Errorf("%s gains %g, saved %g; float32 gains %g", k.Name(), masters, saved, gain)
		}
		masters, saved = tuned(t, dir, k, true)
		t.Logf("%s, dithered, gains %.5f, saved %.5f", k.Name(), masters, saved)
		for _, x := range []float64{masters, saved} {
			if math.Abs(x/gain-1) > 0.3 {
				t.Errorf("%s, dithered: gains %g, saved %g; float32 gains %g", k.Name(), masters, saved, gain)
			}
		}
	}
}

func kernelOf(t *testing.T, name string) *gemm.Kernel {
	t.Helper()
	k, err := gemm.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestDitherOnlyAtTheBeginning: the first step begins from dithered masters, those of the options'
// seed, and a trainer that goes on from a checkpoint has the checkpoint's to the bit.
func TestDitherOnlyAtTheBeginning(t *testing.T) {
	t.Parallel()
	s := dithered
	s.rate = 0
	tr, dir := newTrainer(t, s), t.TempDir()
	base := weights(tr)
	evaluated(t, tr) // the base model as it is
	if !slices.Equal(weights(tr), base) {
		t.Error("the masters moved before the first step")
	}
	want := newTrainer(t, s)
	want.model.Dither(11)
	for i := range 2 {
		run(t, tr, 1)
		if !slices.Equal(masters(tr), masters(want)) {
			t.Errorf("after step %d the masters are not those that the seed gives", i+1)
		}
	}
	tr.model.Params()[0].W[5] = 0.5 // on the grid
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	again := newTrainer(t, s)
	if _, err := again.Restore(dir); err != nil {
		t.Fatal(err)
	}
	if run(t, again, 1); again.model.Params()[0].W[5] != 0.5 {
		t.Error("a restored master moved")
	}
}

func masters(tr *Trainer) (w []float32) {
	for _, p := range tr.opt.params {
		w = append(w, p.W...)
	}
	return w
}
