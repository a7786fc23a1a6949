package customize

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/tinymodel"
	"outcrop.dev/outcrop/work/attempt"
)

// everything is a job with all that could make a run that goes on differ from one without
// interruption: steps cut into several batches, evaluations of which one ends the job early, and
// weights of an earlier step published. All training rows have the answer of a third of the
// validation rows. The better it is learnt, the less likely is the other answer. So the
// validation loss rises again, by far more than kernels differ in their rounding.
func everything(f *fake, j *attempt.Spec) {
	f.objects["s3://b/train.jsonl"] = []byte(answered(40, "red"))
	f.objects["s3://b/val0.jsonl"] = []byte(answered(6, "red", "green and blue", "green and blue"))
	t := &j.Train
	t.Epochs, t.LearningRate, t.Schedule, t.MicroTokens, t.Seed = 10, 0.01, outcrop.ScheduleCosine, 64, 6
	t.EvaluationInterval, t.Patience, t.MinGain, t.Best = 4, 4, 0.3, outcrop.BestExactMatch
	t.KeepCheckpoints = 2
}

// everythingLoRA is that with adapters.
func everythingLoRA(f *fake, j *attempt.Spec) {
	everything(f, j)
	adapters(j)
	j.Train.LearningRate = 0.03
}

// TestBestStepOnEveryKernel: the jobs of everything end early, and their best step is before the
// last, on every kernel that this CPU has. Other tests rest on it.
func TestBestStepOnEveryKernel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change          func(*fake, *attempt.Spec)
		published, last int
		rise            float64 // the validation loss rises by this at least after the best step
	}{
		"everything": {everything, 20, 28, 0.15},
		"LoRA":       {everythingLoRA, 12, 20, 0.03},
	} {
		for _, k := range gemm.Kernels() {
			t.Run(name+"/"+k.Name(), func(t *testing.T) {
				t.Parallel()
				f, j, o := newFake(1), job(t, 1), options()
				c.change(f, &j)
				o.Exec.Kernel = k
				p, err := Run(t.Context(), f, j, o)
				if err != nil || p.Step != c.last || p.PublishedStep != c.published {
					t.Fatalf("published step %d of %d, want %d of %d; %v", p.PublishedStep, p.Step, c.published, c.last, err)
				}
				report := reportOf(t, f)
				at := report.Evaluations[best(report.Evaluations, outcrop.BestExactMatch)]
				for _, e := range report.Evaluations {
					if e.Step > at.Step && (*e.Exact > *at.Exact || e.Loss < at.Loss+c.rise) {
						t.Errorf("%g, of which %g exact, at step %d is too near to %g, %g at the best", e.Loss, *e.Exact, e.Step, at.Loss, *at.Exact)
					}
				}
			})
		}
	}
}

func reportOf(t *testing.T, f *fake) (r trainingReport) {
	t.Helper()
	if err := json.Unmarshal(f.objects[prefix+"/"+trainingReportKey], &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRecomputeWhereMemoryAsksForIt: a job that does not fit as it was planned keeps fewer
// activations, and ends with the same bytes.
func TestRecomputeWhereMemoryAsksForIt(t *testing.T) {
	t.Parallel()
	plain, j := newFake(1), job(t, 1)
	if _, err := Run(t.Context(), plain, j, options()); err != nil {
		t.Fatal(err)
	}
	r := reportOf(t, plain)
	tight, o := newFake(1), options()
	var log bytes.Buffer
	o.MemoryBytes, o.Log = r.PlannedMemory.Total()-1, slog.New(slog.NewTextHandler(&log, nil))
	if _, err := Run(t.Context(), tight, job(t, 1), o); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `"activation checkpointing"=true`) {
		t.Errorf("log %s", &log)
	}
	for uri, want := range plain.objects {
		if !bytes.Equal(tight.objects[uri], want) {
			t.Errorf("%s is another", uri)
		}
	}
}

// adapters makes j train adapters, of some layers, with dropout.
func adapters(j *attempt.Spec) {
	j.Train.Method = outcrop.MethodLoRA
	j.Train.LoRA = outcrop.LoRASpec{Rank: 4, Alpha: 16, Dropout: 0.1, Targets: []string{"q_proj", "v_proj", "down_proj"}}
}

// TestRunLeavesAdapters: a LoRA job leaves PEFT's files, what they belong to, and what it takes
// to ask the model; nothing of the base's weights.
func TestRunLeavesAdapters(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	adapters(&j)
	if _, err := Run(t.Context(), f, j, options()); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(j.ScratchDir, "model")
	config, err := model.ReadConfig(j.ModelDir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := model.CheckAdapter(dir, config)
	if err != nil || l.Rank != 4 || l.Base != "outcrop.test" || !slices.Equal(l.Targets, j.Train.LoRA.Targets) {
		t.Errorf("%+v, %v", l, err)
	}
	base, err := model.ReadBase(dir)
	if err != nil || base.ModelID != "outcrop.test" || base.Check(j.ModelDir) != nil {
		t.Errorf("%+v, %v", base, err)
	}
	if weights, _ := filepath.Glob(filepath.Join(dir, "model*")); weights != nil {
		t.Errorf("%v are not the job's", weights)
	}
	if _, err := os.Stat(filepath.Join(dir, tokenizer.File)); err != nil {
		t.Error(err)
	}
	var p parity
	if err := json.Unmarshal(f.objects[prefix+"/"+parityKey], &p); err != nil || !p.holds() || p.Tokens == 0 {
		t.Errorf("%+v, %v", p, err)
	}
	card := string(f.objects[prefix+"/model/"+cardFile])
	for _, want := range []string{"library_name: peft", "low-rank adapters (LoRA)", "| loraTargets | (default) | q_proj,v_proj,down_proj |"} {
		if !strings.Contains(card, want) {
			t.Errorf("%q is not in the card:\n%s", want, card)
		}
	}
}

// TestTrainingReport: what was chosen, measured and published can be read afterwards.
func TestTrainingReport(t *testing.T) {
	t.Parallel()
	f, j := newFake(2), job(t, 2)
	everything(f, &j)
	p, err := Run(t.Context(), f, j, options())
	if err != nil {
		t.Fatal(err)
	}
	r := reportOf(t, f)
	if r.Steps != p.Step || r.StepsPlanned != 50 || r.PublishedStep != p.PublishedStep || !r.EndedEarly || r.HyperParameters["schedule"] != "cosine" {
		t.Errorf("%+v of %+v", r, p)
	}
	if n := len(r.Evaluations); n != p.Step/4+1 || len(r.Evaluations[0].Losses) != 2 || r.Evaluations[1].Exact == nil || r.PlannedMemory.Weights == 0 {
		t.Errorf("%+v", r)
	}
	card := string(f.objects[prefix+"/model/"+cardFile])
	for _, want := range []string{fmt.Sprintf("the weights of step %d of 50, which answered the most validation rows exactly", p.PublishedStep), fmt.Sprintf("ended at step %d, because", p.Step), "| schedule | (default) | cosine |"} {
		if !strings.Contains(card, want) {
			t.Errorf("%q is not in the card:\n%s", want, card)
		}
	}
}

// TestKeepCheckpoints: the newest ends of epochs that are not published are whole models, and
// the others are gone.
func TestKeepCheckpoints(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	j.Train.Epochs, j.Train.KeepCheckpoints, j.Train.EvaluationInterval = 5, 2, 5
	p, err := Run(t.Context(), f, j, options())
	if err != nil {
		t.Fatal(err)
	}
	tolerance := 1e-5
	if !exec().Kernel.BF16() {
		tolerance = 1e-3 // training has not seen the weights as they are rounded for the file
	}
	var epochs []int
	for _, c := range p.Checkpoints {
		epochs = append(epochs, c.Epoch)
		dir := filepath.Join(j.ScratchDir, attempt.EpochDir(c.Epoch))
		parity, err := measureParity(onDisk{base: dir}, exec(), validationRows(t, dir), 8186, func() {})
		if err != nil {
			t.Fatalf("epoch %d: %v", c.Epoch, err)
		}
		if c.Step != 5*c.Epoch || c.TrainingLoss == nil || len(c.ValidationLosses) != 1 || math.Abs(parity.ServingLoss-c.ValidationLosses[0]) > tolerance {
			t.Errorf("%+v, served with loss %g", c, parity.ServingLoss)
		}
	}
	if !slices.Equal(epochs, []int{3, 4}) {
		t.Errorf("the ends of epochs %v are kept", epochs)
	}
	left, err := os.ReadDir(filepath.Join(j.ScratchDir, attempt.EpochsDir))
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}

// validationRows are those of job's first validator.
func validationRows(t *testing.T, modelDir string) []train.Example {
	t.Helper()
	f := newFake(1)
	_, data, err := (&datacheck.Checker{}).Load(t.Context(), modelDir, tinymodel.Context, datacheck.Source{Name: "t", Open: func(ctx context.Context) (io.ReadCloser, error) { return f.Get(ctx, "s3://b/val0.jsonl") }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return (&run{job: attempt.Spec{Customization: attempt.Customization{ContextLength: tinymodel.Context}}}).examples(data.Training)
}

// TestLostBestWeights: what is lost is trained again, from the beginning.
func TestLostBestWeights(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	everything(f, &j)
	best := filepath.Join(j.ScratchDir, bestDir)
	f.command = func(int) string {
		if files, _ := filepath.Glob(filepath.Join(best, "step-*")); len(files) > 0 && f.last().Step >= 12 {
			os.RemoveAll(best)
		}
		return "run"
	}
	if _, err := Run(t.Context(), f, j, options()); err == nil || !strings.Contains(err.Error(), "are lost") {
		t.Fatalf("error %v", err)
	}
	f.command = nil
	if p, err := Run(t.Context(), f, j, options()); err != nil || p.PublishedStep == 0 {
		t.Errorf("the attempt after that: %+v, %v", p, err)
	}
}
