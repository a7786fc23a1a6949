package train

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

var tiny = model.Config{
	Family: "llama", Hidden: 32, FFN: 48, Layers: 2, Heads: 4, KVHeads: 2, HeadSize: 8, Vocab: 50,
	Context: 32, NormEps: 1e-5, Theta: 10000, Tied: true, DType: model.BFloat16,
}

// examples are short documents with a rule in them: each token is the one before plus a
// step that the first token gives.
func examples(n int) []Example {
	r := rand.New(rand.NewPCG(1, 2))
	var es []Example
	for range n {
		step, length := r.Int32N(3)+1, r.IntN(14)+4
		tokens := []int32{step, r.Int32N(50)}
		for len(tokens) < length {
			tokens = append(tokens, (tokens[len(tokens)-1]+step)%50)
		}
		es = append(es, NewExample(tokens, 2))
	}
	return es
}

type setup struct {
	threads int
	kernel  *gemm.Kernel
	micro   int
	rate    float64
	steps   int
	lora    *model.LoRA
	dither  bool // weights that come from a bfloat16 file are dithered
}

func newTrainer(t *testing.T, s setup) *Trainer {
	t.Helper()
	if s.kernel == nil {
		s.kernel = gemm.Best()
	}
	pool := tensor.NewPool(max(s.threads, 1))
	m, err := model.New(tiny, nn.Exec{Pool: pool, Kernel: s.kernel})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(7)
	if s.lora != nil {
		if err := m.AddLoRA(*s.lora); err != nil {
			t.Fatal(err)
		}
	}
	rows := &Rows{All: examples(20), BatchSize: 8, Epochs: 100, Seed: 3}
	o := FineTune(s.steps, s.rate, 4)
	o.MicroTokens, o.Dither, o.Seed = s.micro, s.dither, 11
	if s.dither {
		for _, p := range m.Params() {
			for i, w := range p.W {
				p.W[i] = tensor.ToBF16(w).Float32()
			}
		}
	}
	tr, err := New(m, rows, 20, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close(); m.Close(); pool.Close() })
	return tr
}

func run(t *testing.T, tr *Trainer, steps int) {
	t.Helper()
	for range steps {
		if _, err := tr.Step(); err != nil {
			t.Fatal(err)
		}
	}
}

func weights(tr *Trainer) (w []float32) {
	for i, p := range tr.opt.params {
		w = append(append(append(w, p.W...), tr.opt.m[i]...), tr.opt.v[i]...)
	}
	return w
}

var (
	usual    = setup{threads: 2, micro: 64, rate: 1e-2, steps: 60}
	dithered = setup{threads: 2, micro: 64, rate: 1e-2, steps: 60, dither: true}
	// lowRank trains adapters, with dropout, in place of the weights.
	lowRank = setup{threads: 2, micro: 64, rate: 5e-2, steps: 60, lora: &model.LoRA{Rank: 4, Alpha: 8, Dropout: 0.1, Seed: 5}}
)

func TestLearns(t *testing.T) {
	t.Parallel()
	tr := newTrainer(t, usual)
	run(t, tr, 60)
	h := tr.History()
	if first, last := h[0].Loss, h[59].Loss; !tr.Done() || !(last < 0.6*first) {
		t.Errorf("loss %g after 60 steps, %g at first", last, first)
	}
}

// TestLoRALearns: adapters teach a model that counts upwards to count downwards.
func TestLoRALearns(t *testing.T) {
	t.Parallel()
	tr := newTrainer(t, usual)
	run(t, tr, 60)
	m := tr.model
	if err := m.AddLoRA(model.LoRA{Rank: 8, Alpha: 16, Dropout: 0.05, Seed: 5}); err != nil {
		t.Fatal(err)
	}
	down := examples(20)
	for _, e := range down {
		for i := range e.Tokens {
			if e.Tokens[i] = 49 - e.Tokens[i]; e.Targets[i] >= 0 {
				e.Targets[i] = 49 - e.Targets[i]
			}
		}
	}
	low, err := New(m, &Rows{All: down, BatchSize: 8, Epochs: 100, Seed: 3}, 20, FineTune(60, 5e-3, 4))
	if err != nil {
		t.Fatal(err)
	}
	defer low.Close()
	run(t, low, 60)
	if first, last := low.History()[0].Loss, low.History()[59].Loss; !(last < 0.5*first) {
		t.Errorf("loss %g after 60 steps, %g at first", last, first)
	}
}

// TestResume: a run that is cut off twice ends with the same bytes as one that is not.
func TestResume(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]setup{"full": usual, "dithered": dithered, "LoRA": lowRank} {
		t.Run(name, func(t *testing.T) { t.Parallel(); testResume(t, s) })
	}
}

func testResume(t *testing.T, usual setup) {
	whole := newTrainer(t, usual)
	run(t, whole, 12)
	dir := t.TempDir()
	for _, steps := range []int{5, 1, 6} {
		part := newTrainer(t, usual)
		if damaged, err := part.Restore(dir); err != nil || damaged != nil {
			t.Fatal(damaged, err)
		}
		run(t, part, steps)
		if err := part.Save(dir); err != nil {
			t.Fatal(err)
		}
		run(t, part, 1) // lost
	}
	last := newTrainer(t, usual)
	if _, err := last.Restore(dir); err != nil {
		t.Fatal(err)
	}
	if last.Steps() != 12 || !slices.Equal(weights(last), weights(whole)) {
		t.Error("the resumed run has other weights")
	}
	if !slices.Equal(last.History(), whole.History()) {
		t.Errorf("the resumed run has another history: %v, want %v", last.History(), whole.History())
	}
}

// TestThreads: one thread and two give the same bytes, with every kernel.
func TestThreads(t *testing.T) {
	t.Parallel()
	for _, k := range gemm.Kernels() {
		for _, one := range []setup{usual, dithered, lowRank} {
			one.threads, one.kernel = 1, k
			two := one
			two.threads = 2
			a, b := newTrainer(t, one), newTrainer(t, two)
			run(t, a, 4)
			run(t, b, 4)
			if !slices.Equal(weights(a), weights(b)) {
				t.Errorf("%s: the result depends on threads (LoRA %v)", k.Name(), one.lora)
			}
		}
	}
}

// TestAccumulation: a step cut into single documents is the same step as in one batch.
func TestAccumulation(t *testing.T) {
	t.Parallel()
	ref, err := gemm.ByName("ref-f32")
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]setup{"full": usual, "LoRA": lowRank} {
		t.Run(name, func(t *testing.T) { t.Parallel(); testAccumulation(t, one, ref) })
	}
}

func testAccumulation(t *testing.T, one setup, ref *gemm.Kernel) {
	many := one
	one.kernel, one.micro, many.kernel, many.micro = ref, 1, ref, 8*20
	a, b := newTrainer(t, one), newTrainer(t, many)
	x, y := accumulated(t, a), accumulated(t, b)
	if math.Abs(x.Loss-y.Loss) > 1e-6*y.Loss {
		t.Errorf("8×1 gives loss %.9g, 1×8 %.9g", x.Loss, y.Loss)
	}
	var diff float64
	for i, p := range a.opt.params {
		for j, g := range p.G {
			d := float64(g - b.opt.params[i].G[j])
			diff += d * d
		}
	}
	if math.Sqrt(diff) > 1e-6*y.GradNorm {
		t.Errorf("the gradients differ by %g of %g", math.Sqrt(diff), y.GradNorm)
	}
}

// accumulated runs step 0 up to its gradient.
func accumulated(t *testing.T, tr *Trainer) Result {
	t.Helper()
	r := Result{}
	es := tr.source.Examples(0)
	for _, e := range es {
		for _, x := range e.Targets {
			if x >= 0 {
				r.Trained++
			}
		}
	}
	if err := tr.accumulate(es, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheckpointsKept(t *testing.T) {
	t.Parallel()
	tr, dir := newTrainer(t, usual), t.TempDir()
	for range 4 {
		run(t, tr, 1)
		if err := tr.Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	names, err := checkpoints(dir)
	if want := []string{"step-00000003", "step-00000004"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("checkpoints %v (%v), want %v", names, err, want)
	}
}

// TestCheckpointHoldsWhatIsTrained: adapters and their moments, and not the frozen weights.
func TestCheckpointHoldsWhatIsTrained(t *testing.T) {
	t.Parallel()
	tr, dir := newTrainer(t, lowRank), t.TempDir()
	run(t, tr, 1)
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "step-00000001", tensorsFile))
	if err != nil {
		t.Fatal(err)
	}
	three := 3 * 4 * int64(tr.model.TrainableParams(lowRank.lora))
	if header := info.Size() - three; header < 0 || header > 1<<14 {
		t.Errorf("the checkpoint has %d bytes, what is trained %d", info.Size(), three)
	}
}

// TestCutOffCheckpointsDoNotCount: what saves have left that were cut off, of earlier and of
// later steps, goes with the next save, and takes the place of no whole checkpoint.
func TestCutOffCheckpointsDoNotCount(t *testing.T) {
	t.Parallel()
	tr, dir := newTrainer(t, usual), t.TempDir()
	run(t, tr, 2)
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"step-00000001", "step-00000008", "step-00000009"} {
		if err := os.Mkdir(filepath.Join(dir, step), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	again := newTrainer(t, usual)
	if damaged, err := again.Restore(dir); err != nil || len(damaged) != 2 || again.Steps() != 2 {
		t.Fatalf("step %d, damaged %v, error %v", again.Steps(), damaged, err)
	}
	run(t, again, 1)
	if err := again.Save(dir); err != nil {
		t.Fatal(err)
	}
	names, err := checkpoints(dir)
	if want := []string{"step-00000002", "step-00000003"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("checkpoints %v (%v), want %v", names, err, want)
	}
}

// TestFailedSaveLeavesNothing: a save that fails does not fill a full disk further, and the
// checkpoints before it stay.
func TestFailedSaveLeavesNothing(t *testing.T) {
	t.Parallel()
	tr, dir := newTrainer(t, usual), t.TempDir()
	run(t, tr, 1)
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	run(t, tr, 1)
	tr.history[1].Loss = math.NaN() // which JSON cannot carry: the tensors are written, the state is not
	if err := tr.Save(dir); err == nil {
		t.Fatal("saved")
	}
	names, err := checkpoints(dir)
	if want := []string{"step-00000001"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("checkpoints %v (%v), want %v", names, err, want)
	}
}

// TestSavedCheckpointIsNotWrittenAgain: a run that goes on at its end, or is cut off while it
// does, does not take its newest checkpoint apart.
func TestSavedCheckpointIsNotWrittenAgain(t *testing.T) {
	t.Parallel()
	tr, dir := newTrainer(t, usual), t.TempDir()
	run(t, tr, 1)
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "step-00000001", tensorsFile)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	again := newTrainer(t, usual)
	if _, err := again.Restore(dir); err != nil {
		t.Fatal(err)
	}
	for name, tr := range map[string]*Trainer{"the trainer that wrote it": tr, "one that restored it": again} {
		if err := tr.Save(dir); err != nil {
			t.Fatal(err)
		}
		if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s has written it again (%v)", name, err)
		}
	}
}

// TestDamagedCheckpoint: whatever is missing or changed in the newest checkpoint, the one
// before is used and the damage is named.
func TestDamagedCheckpoint(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(dir string) error{
		"no manifest": func(d string) error { return os.Remove(filepath.Join(d, manifestFile)) },
		"no state":    func(d string) error { return os.Remove(filepath.Join(d, stateFile)) },
		"no tensors":  func(d string) error { return os.Remove(filepath.Join(d, tensorsFile)) },
		"cut tensors": func(d string) error { return os.Truncate(filepath.Join(d, tensorsFile), 1000) },
		"changed byte": func(d string) error {
			b, err := os.ReadFile(filepath.Join(d, tensorsFile))
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(filepath.Join(d, tensorsFile), b, 0o644)
		},
		"manifest is no JSON": func(d string) error { return os.WriteFile(filepath.Join(d, manifestFile), []byte("{"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, dir := newTrainer(t, usual), t.TempDir()
			for range 2 {
				run(t, tr, 1)
				if err := tr.Save(dir); err != nil {
					t.Fatal(err)
				}
			}
			if err := damage(filepath.Join(dir, "step-00000002")); err != nil {
				t.Fatal(err)
			}
			again := newTrainer(t, usual)
			damaged, err := again.Restore(dir)
			if err != nil || len(damaged) != 1 || again.Steps() != 1 {
				t.Fatalf("step %d, damaged %v, error %v", again.Steps(), damaged, err)
			}
			run(t, again, 1)
			if !slices.Equal(weights(again), weights(tr)) {
				t.Error("the run goes on to other weights")
			}
		})
	}
}

func TestCheckpointOfAnotherModel(t *testing.T) {
	t.Parallel()
	tr, dir := newTrainer(t, lowRank), t.TempDir()
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	otherRank := lowRank
	otherRank.lora = &model.LoRA{Rank: 5, Alpha: 8}
	for _, other := range []setup{usual, otherRank} {
		if _, err := newTrainer(t, other).Restore(dir); err == nil {
			t.Error("restored")
		}
	}
}

// TestDiverged: a number that is not finite stops the run and leaves the weights alone.
func TestDiverged(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]float32{"NaN": float32(math.NaN()), "infinite": float32(math.Inf(1)), "huge": 3e38} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrainer(t, usual)
			run(t, tr, 1)
			p := tr.opt.params[1]
			p.W[0] = bad
			before := append([]float32(nil), tr.opt.params[0].W...)
			_, err := tr.Step()
			var d *Diverged
			if !errors.As(err, &d) || d.Step != 1 {
				t.Fatalf("error %v", err)
			}
			if !slices.Equal(tr.opt.params[0].W, before) || tr.Steps() != 1 {
				t.Error("the step has been taken")
			}
			if tr.opt.gradNorm() != 0 {
				t.Error("the gradient is left")
			}
		})
	}
}

// TestClip: a gradient above the limit is scaled to it; norms do not decay.
func TestClip(t *testing.T) {
	t.Parallel()
	tr := newTrainer(t, usual)
	tr.options.Clip = 0.5
	if h := tr.hyper(Result{GradNorm: 2}); h.GradScale != 0.25 {
		t.Errorf("a gradient of norm 2 is scaled by %g", h.GradScale)
	}
	if h := tr.hyper(Result{GradNorm: 0.5}); h.GradScale != 1 {
		t.Errorf("a gradient at the limit is scaled by %g", h.GradScale)
	}
	h := tr.hyper(Result{Rate: 1})
	h.WeightDecay = 0.5
	matrix, vector := tr.opt.params[0], tr.opt.params[1]
	w := matrix.W[0]
	tr.opt.step(h) // no gradient: only the decay shows
	if matrix.W[0] != w/2 || !vector.Vector || vector.W[0] != 1 {
		t.Errorf("after a decay of a half: matrix %g of %g, vector %g of 1", matrix.W[0], w, vector.W[0])
	}
}

func TestEvaluateChangesNothing(t *testing.T) {
	t.Parallel()
	tr := newTrainer(t, usual)
	run(t, tr, 2)
	before := weights(tr)
	l, err := tr.Evaluate(examples(20))
	if err != nil || l.Tokens == 0 || !(l.Mean() > 0) {
		t.Fatalf("loss %v, error %v", l, err)
	}
	if !slices.Equal(weights(tr), before) || tr.opt.gradNorm() != 0 {
		t.Error("weights or gradients have changed")
	}
}

// TestMeasure: what Measure promises is what the tensors take.
func TestMeasure(t *testing.T) {
	t.Parallel()
	tr := newTrainer(t, usual)
	var params int64
	for _, p := range tr.model.Params() {
		params += int64(p.Len())
	}
	small, large := tr.options, tr.options
	large.MicroTokens *= 2
	c, exec := tr.model.Config, tr.model.Exec()
	a, b := Measure(c, nil, exec, 20, small), Measure(c, nil, exec, 20, large)
	if a.Weights != 4*params || a.Gradients != 4*params || a.Moments != 8*params {
		t.Errorf("%+v of %d weights", a, params)
	}
	if b.Activations < 3*a.Activations/2 || b.Activations > 2*a.Activations {
		t.Errorf("%d bytes, with batches twice as large %d", a.Activations, b.Activations)
	}
	if large.Largest.Tokens = small.MicroTokens; Measure(c, nil, exec, 20, large) != a {
		t.Error("memory for more tokens than the largest batch has")
	}
	if large.Largest.Targets = 3; Measure(c, nil, exec, 20, large).Activations >= a.Activations {
		t.Error("memory for more logits than there are targets")
	}
	low := Measure(c, lowRank.lora, exec, 20, small)
	if n := int64(c.TrainableParams(lowRank.lora)); low.Gradients != 4*n || low.Moments != 8*n || low.Weights >= a.Weights {
		t.Errorf("%+v of adapters with %d numbers", low, n)
	}
	if a.Total() != a.Weights+a.Gradients+a.Moments+a.Activations+a.Packing {
		t.Errorf("%+v is %d in all", a, a.Total())
	}
}

// TestLargestBatch: the largest batch is found by cutting steps as the trainer does.
func TestLargestBatch(t *testing.T) {
	t.Parallel()
	of := func(lengths ...int) (es []Example) {
		for _, n := range lengths {
			es = append(es, NewExample(make([]int32, n+1), n)) // one target each
		}
		return es
	}
	for _, c := range []struct {
		step, set []Example
		micro     int
		want      Batch
	}{
		{of(3, 4, 5), nil, 100, Batch{12, 3}}, {of(3, 4, 5), nil, 7, Batch{7, 2}}, {of(3, 4, 5), nil, 1, Batch{5, 1}},
		{of(3, 4, 5), of(1, 2, 1), 7, Batch{7, 3}}, {of(3), of(4, 4, 4), 8, Batch{8, 2}}, {nil, nil, 8, Batch{}},
	} {
		if got := LargestBatch(Repeat(c.step), 3, c.micro, c.set); got != c.want {
			t.Errorf("steps of %d and %d examples, at most %d tokens: %+v, want %+v", len(c.step), len(c.set), c.micro, got, c.want)
		}
	}
}

// TestLessMemory: a trainer whose memory was planned for the largest batch alone, and that
// computes activations again, computes what one does whose memory was planned for any.
func TestLessMemory(t *testing.T) {
	t.Parallel()
	any, own := newTrainer(t, usual), newTrainer(t, usual)
	own.options.Largest = LargestBatch(own.source, 4, usual.micro, examples(20))
	own.options.Recompute = true
	if err := own.model.Plan(budget(20, own.options)); err != nil {
		t.Fatal(err)
	}
	run(t, any, 4)
	run(t, own, 4)
	a, err := any.Evaluate(examples(20))
	if err != nil {
		t.Fatal(err)
	}
	b, err := own.Evaluate(examples(20))
	if err != nil || a != b || !slices.Equal(weights(any), weights(own)) {
		t.Errorf("other losses (%v, %v, %v) or weights", a, b, err)
	}
}
