package customize

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/internal/tinymodel"
	"outcrop.dev/outcrop/work/attempt"
)

var _ Attempt = (*attempt.Client)(nil)

const prefix = "s3://b/out/model-customization-job-abc"

// exec is shared: the models are tiny.
var exec = sync.OnceValue(func() nn.Exec { return nn.Exec{Pool: tensor.NewPool(2), Kernel: kernel()} })

// float32Variable has the tests run on the best kernel that packs float32.
const float32Variable = "OUTCROP_TEST_FLOAT32"

func kernel() *gemm.Kernel {
	kernels := gemm.Kernels()
	if os.Getenv(float32Variable) != "" {
		return kernels[slices.IndexFunc(kernels, func(k *gemm.Kernel) bool { return !k.BF16() })]
	}
	return kernels[0]
}

// tinyModel is a random model over Pebble's tokenizer, made once.
var tinyModel = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "outcrop-tune-test-")
	if err != nil {
		panic(err)
	}
	if err := tinymodel.Write(dir); err != nil {
		panic(err)
	}
	return dir
})

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(tinyModel())
	os.Exit(code)
}

// fake is an attempt in memory.
type fake struct {
	mu      sync.Mutex
	objects map[string][]byte
	phases  []string
	reports []outcrop.Progress
	// command, if not nil, answers the n-th report (from 1).
	command func(n int) string
	alive   func(n int) // is told of the n-th sign of life (from 1); nil: nobody listens
	lives   int
	base    string
}

func newFake(validators int) *fake {
	f := &fake{objects: map[string][]byte{}}
	f.objects["s3://b/train.jsonl"] = []byte(lines(40))
	for i := range validators {
		f.objects[fmt.Sprintf("s3://b/val%d.jsonl", i)] = []byte(lines(5 + i))
	}
	return f
}

// lines returns n different rows that are easy to learn.
func lines(n int) string { return answered(n, "red", "green and blue") }

// answered returns n different rows with these answers in turn.
func answered(n int, answers ...string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(rows(fmt.Sprintf("Colour of %d in list %d?", i, n), answers[i%len(answers)]))
	}
	return b.String()
}

func (f *fake) Report(phase string, p outcrop.Progress) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.phases); n == 0 || f.phases[n-1] != phase {
		f.phases = append(f.phases, phase)
	}
	f.reports = append(f.reports, p)
	if f.command != nil {
		return f.command(len(f.reports))
	}
	return "run"
}

// last is the newest report; commands are asked for while it is held.
func (f *fake) last() outcrop.Progress { return f.reports[len(f.reports)-1] }

func (f *fake) Alive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lives++; f.alive != nil {
		f.alive(f.lives)
	}
}

func (f *fake) UseBase(digest string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.base = digest
}

func (f *fake) Get(_ context.Context, uri string) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.objects[uri]
	if !ok {
		return nil, outcrop.Errorf(outcrop.CodeNotFound, "there is no %s", uri)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (f *fake) Put(_ context.Context, uri, _ string, body io.ReadSeeker) error {
	b, err := io.ReadAll(body)
	f.PutLater(uri, "", b)
	return err
}

func (f *fake) PutLater(uri, _ string, content []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[uri] = content
}

func (f *fake) Flush(context.Context) error { return nil }

func job(t *testing.T, validators int) attempt.Spec {
	j := attempt.Spec{
		JobID: "abc", ScratchDir: t.TempDir(), Grant: attempt.Grant{OutputPrefix: prefix, TrainingURI: "s3://b/train.jsonl"},
		Customization: attempt.Customization{
			BaseModelID: "outcrop.test", ModelDir: tinyModel(), ContextLength: tinymodel.Context, HyperParameters: map[string]string{"epochCount": "3"},
			Train: recipe.Default(outcrop.TrainDefaults{Epochs: 3, BatchSize: 8, LearningRate: 0.01, WarmupSteps: 2}),
		},
	}
	j.Train.Seed = 5
	for i := range validators {
		j.ValidationURIs = append(j.ValidationURIs, fmt.Sprintf("s3://b/val%d.jsonl", i))
	}
	return j
}

// options have a clock that goes on by a second with every look, so that checkpoints and
// metrics become due within a short run.
func options() Options {
	var mu sync.Mutex
	now := time.Unix(0, 0)
	return Options{Exec: exec(), Log: slog.New(slog.DiscardHandler), Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}}
}

func TestRunWritesWhatBedrockDocuments(t *testing.T) {
	t.Parallel()
	f, j := newFake(2), job(t, 2)
	p, err := Run(t.Context(), f, j, options())
	if err != nil {
		t.Fatal(err)
	}
	if p.Step != 15 || p.Steps != 15 || p.Epoch != 3 || p.TrainingLoss == nil || len(p.ValidationLosses) != 2 || p.Tokens == 0 {
		t.Errorf("progress %+v", p)
	}
	if !slices.Equal(f.phases, []string{"Validation", "DataProcessing", "Training"}) {
		t.Errorf("phases %v", f.phases)
	}
	steps := string(f.objects[prefix+"/training_artifacts/step_wise_training_metrics.csv"])
	row := regexp.MustCompile(`^\d+,\d+,\d+\.\d{6},\d+\.\d{6}$`)
	for i, line := range strings.Split(strings.TrimSpace(steps), "\n") {
		if i == 0 && line != "step_number,epoch_number,training_loss,perplexity" ||
			i > 0 && (!row.MatchString(line) || !strings.HasPrefix(line, fmt.Sprintf("%d,%d,", i-1, (i-1)/5))) {
			t.Errorf("line %d: %q", i, line)
		}
	}
	if n := strings.Count(steps, "\n"); n != 16 {
		t.Errorf("%d lines of steps", n)
	}
	for i, key := range []string{"validation_metrics.csv", "validation_metrics_2.csv"} {
		a := f.objects[prefix+"/validation_artifacts/post_fine_tuning_validation/validation/"+key]
		b := f.objects[prefix+"/validation_artifacts/post_fine_tuning_validation/"+key]
		if len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s differs between its two keys, or is missing", key)
		}
		all := strings.Split(strings.TrimSpace(string(a)), "\n")
		if !strings.HasPrefix(all[1], "0,0,") || !strings.HasPrefix(all[len(all)-1], "15,2,"+fmt.Sprintf("%.6f", p.ValidationLosses[i])) {
			t.Errorf("%s:\n%s", key, a)
		}
	}
	if p.ValidationLosses[0] > 6 {
		t.Errorf("the validation loss %v has not come down from 9", p.ValidationLosses)
	}
}

func TestRunLeavesAModelThatIsWhole(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	if _, err := Run(t.Context(), f, j, options()); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(j.ScratchDir, "model")
	if _, err := model.LoadServing(dir, exec()); err != nil {
		t.Error(err)
	}
	var m manifest
	if err := json.Unmarshal(f.objects[prefix+"/manifest.json"], &m); err != nil {
		t.Fatal(err)
	}
	stored := map[string]bool{}
	for _, a := range m.Artefacts {
		b := f.objects[prefix+"/"+a.Path]
		if int64(len(b)) != a.Size || fmt.Sprintf("%x", sum(b)) != a.SHA256 {
			t.Errorf("%s is not what the manifest says", a.Path)
		}
		stored[a.Path] = true
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !stored["model/"+e.Name()] {
			t.Errorf("model/%s was not stored", e.Name())
		}
	}
	for _, key := range []string{"data_report.json", "training_report.json", "parity.json", "model/README.md", "model/tokenizer.json", "model/model.safetensors", "model/config.json"} {
		if !stored[key] {
			t.Errorf("%s was not stored", key)
		}
	}
	if len(m.Inputs) != 2 || m.Inputs[0].SHA256 != fmt.Sprintf("%x", sum(f.objects["s3://b/train.jsonl"])) || m.Kernel == "" {
		t.Errorf("manifest %+v", m)
	}
	var p parity
	if err := json.Unmarshal(f.objects[prefix+"/parity.json"], &p); err != nil {
		t.Fatal(err)
	}
	if !p.holds() || p.Rows != 5 || p.EndOfText.Rows != 5 || p.EndOfText.Mean <= 0 || p.EndOfText.Min > p.EndOfText.Mean {
		t.Errorf("parity %+v", p)
	}
	card := string(f.objects[prefix+"/model/README.md"])
	for _, want := range []string{"base_model: outcrop.test", "| epochCount | 3 | 3 |", "| s3://b/train.jsonl | 40 |", "validation loss val0.jsonl"} {
		if !strings.Contains(card, want) {
			t.Errorf("%q is not in the card:\n%s", want, card)
		}
	}
}

// TestRunIsCutOff ends runs at every kind of moment, hard (nothing is written any more) and
// after a checkpoint, and goes on in the same scratch directory: every artefact must be
// byte for byte that of a run without interruption.
func TestRunIsCutOff(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fake, *attempt.Spec){
		"usual":      func(*fake, *attempt.Spec) {},
		"everything": everything,
		"LoRA":       everythingLoRA,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole, wj := newFake(1), job(t, 1)
			change(whole, &wj)
			p, err := Run(t.Context(), whole, wj, options())
			if err != nil {
				t.Fatal(err)
			}
			if name != "usual" && (p.Step == p.Steps || p.PublishedStep == 0) {
				t.Errorf("the run did not end early: %+v", p)
			}
			if name != "usual" && p.PublishedStep == p.Step {
				t.Errorf("the run publishes its last step: %+v", p)
			}
			cut, j := newFake(1), job(t, 1)
			change(cut, &j)
			ends := cutOff(t, cut, j)
			sameFiles(t, filepath.Join(wj.ScratchDir, attempt.EpochsDir), filepath.Join(j.ScratchDir, attempt.EpochsDir))
			for _, uri := range slices.Sorted(maps.Keys(whole.objects)) {
				if !bytes.Equal(whole.objects[uri], cut.objects[uri]) {
					t.Errorf("%s differs after %d interruptions", uri, ends)
				}
			}
		})
	}
}

// sameFiles compares the models of epochs that two runs have left.
func sameFiles(t *testing.T, want, got string) {
	t.Helper()
	a, b := files(t, want), files(t, got)
	if !maps.Equal(a, b) {
		t.Errorf("files %v\nand %v", slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
	}
}

// files returns the hashes of the files below a directory, which may be missing.
func files(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = sum(b)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

// cutOff runs j to its end with many interruptions, and returns how many.
func cutOff(t *testing.T, f *fake, j attempt.Spec) (ends int) {
	t.Helper()
	for at := 3; ; at += 4 {
		ctx, kill := context.WithCancelCause(t.Context())
		seen := 0
		f.command = func(int) string {
			if seen++; seen < at {
				return "run"
			}
			if at%8 == 3 {
				return "preempt"
			}
			kill(errors.New("killed"))
			return "checkpoint"
		}
		_, err := Run(ctx, f, j, options())
		if kill(nil); err == nil {
			break
		}
		if ends++; ends > 50 {
			t.Fatalf("no end after %d attempts: %v", ends, err)
		}
	}
	if ends < 3 {
		t.Fatalf("only %d interruptions", ends)
	}
	return ends
}

func TestRunLostEvaluations(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	f.command = func(n int) string {
		if n == 12 {
			return "preempt"
		}
		return "run"
	}
	if _, err := Run(t.Context(), f, j, options()); !errors.Is(err, ErrPreempted) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(j.ScratchDir, evaluationsFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), f, j, options()); err == nil || !strings.Contains(err.Error(), "evaluations") {
		t.Fatalf("error %v", err)
	}
	if p, err := Run(t.Context(), f, j, options()); err != nil || p.Step != 15 {
		t.Errorf("the attempt after that: %+v, %v", p, err)
	}
}

func sum(b []byte) [32]byte { return sha256.Sum256(b) }

// TestRunErrors: each kind of failure has its exit code and a sentence that helps.
func TestRunErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*fake, *attempt.Spec, *Options)
		code   int
		want   string
	}{
		{"stopped", func(f *fake, _ *attempt.Spec, _ *Options) { f.command = func(int) string { return "stop" } }, attempt.ExitStopped, "stopped"},
		{"stopped in training", func(f *fake, _ *attempt.Spec, _ *Options) {
			f.command = func(n int) string { return map[bool]string{true: "stop"}[n > 8] }
		}, attempt.ExitStopped, "stopped"},
		{"bad data", func(f *fake, _ *attempt.Spec, _ *Options) { f.objects["s3://b/train.jsonl"] = []byte("{}\n") }, attempt.ExitBadData, `train.jsonl line 1: key "prompt" is missing`},
		{"no data", func(f *fake, _ *attempt.Spec, _ *Options) { delete(f.objects, "s3://b/val0.jsonl") }, attempt.ExitNoInput, "Amazon S3 bucket: b at key val0.jsonl"},
		{"diverged", func(_ *fake, j *attempt.Spec, _ *Options) { j.Train.LearningRate = 1e30; j.Train.WarmupSteps = 0 }, attempt.ExitDiverged, "smaller learningRate"},
		{"ruined", func(_ *fake, j *attempt.Spec, _ *Options) { j.Train.LearningRate = 30; j.Train.WarmupSteps = 0 }, attempt.ExitDiverged, "the training loss rose from "},
		{"no memory", func(_ *fake, _ *attempt.Spec, o *Options) { o.MemoryBytes = 1 << 20 }, attempt.ExitOutOfMemory, "MiB of memory and there are 1 MiB. The need is weights "},
		{"no model", func(_ *fake, j *attempt.Spec, _ *Options) { j.ModelDir = t.TempDir() }, attempt.ExitConfig, "tokenizer cannot be used"},
		{"half a model", func(_ *fake, j *attempt.Spec, _ *Options) { j.ModelDir = pebbleWithoutWeights(t) }, attempt.ExitConfig, "outcrop.test cannot be loaded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, j, o := newFake(1), job(t, 1), options()
			c.change(f, &j, &o)
			_, err := Run(t.Context(), f, j, o)
			if got := attempt.ExitCode(err); got != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("exit code %d, want %d; error %v, want %q", got, c.code, err, c.want)
			}
			if _, err := os.Stat(filepath.Join(j.ScratchDir, "model", "model.safetensors")); err == nil {
				t.Error("there is a model all the same")
			}
			_, reported := f.objects[prefix+"/data_report.json"]
			if c.code == attempt.ExitBadData && !reported {
				t.Error("there is no data report")
			}
			rows := bytes.Count(f.objects[prefix+"/"+trainingMetricsKey], []byte("\n"))
			if began := strings.Contains(c.name, "diverged") || strings.Contains(c.name, "training"); began && rows < 2 {
				t.Errorf("the metrics up to the end are lost: %d lines", rows)
			}
		})
	}
}

// TestMemoryAfterACheckpoint: what a job has trained is not given up because something else takes
// the memory when it goes on.
func TestMemoryAfterACheckpoint(t *testing.T) {
	t.Parallel()
	f, j, o := newFake(1), job(t, 1), options()
	f.command = func(int) string {
		if f.last().Step > 3 {
			return "preempt"
		}
		return "run"
	}
	if _, err := Run(t.Context(), f, j, o); attempt.ExitCode(err) != attempt.ExitTemporary {
		t.Fatal(err)
	}
	f.command = nil
	short := o
	short.MemoryBytes = 1 << 20
	_, err := Run(t.Context(), f, j, short)
	if attempt.ExitCode(err) != attempt.ExitTemporary || !strings.Contains(err.Error(), "MiB of memory and there are 1 MiB") {
		t.Errorf("%v", err)
	}
	if p, err := Run(t.Context(), f, j, o); err != nil || p.PublishedStep != p.Steps {
		t.Errorf("%v; step %d of %d", err, p.PublishedStep, p.Steps)
	}
}

// TestFullDisk: a job that has a checkpoint is not given up because the disk is full.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	r := &run{job: job(t, 0)}
	full := fmt.Errorf("save a checkpoint: %w", &fs.PathError{Op: "write", Path: "state", Err: syscall.ENOSPC})
	if got := attempt.ExitCode(r.retryIfShort(full)); got != attempt.ExitSoftware {
		t.Errorf("exit code %d of a job that has trained nothing", got)
	}
	if err := os.MkdirAll(filepath.Join(r.job.ScratchDir, attempt.CheckpointsDir, "step-00000001"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.retryIfShort(full); attempt.ExitCode(err) != attempt.ExitTemporary || !strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
		t.Errorf("%v, exit code %d", err, attempt.ExitCode(err))
	}
	if err := r.retryIfShort(io.ErrUnexpectedEOF); err != io.ErrUnexpectedEOF || r.retryIfShort(nil) != nil {
		t.Errorf("another error became %v", err)
	}
}

// TestRuinedAfterTheBest: the weights of the best step are published, whatever became of later ones.
func TestRuinedAfterTheBest(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	j.Train.LearningRate, j.Train.WarmupSteps, j.Train.Epochs, j.Train.EvaluationInterval = 10, 1000, 8, 1
	j.Train.Best = outcrop.BestValidationLoss
	progress, err := Run(t.Context(), f, j, options())
	if err != nil || progress.PublishedStep >= progress.Steps || *progress.TrainingLoss > 10 {
		t.Errorf("%v; step %d of %d", err, progress.PublishedStep, progress.Steps)
	}
}

func pebbleWithoutWeights(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{tokenizer.File, "config.json"} {
		if err := durable.CopyFile(filepath.Join(dir, name), filepath.Join(pebbleDir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestParityNoticesOtherWeights: a model that is not the one that was measured fails.
func TestParityNoticesOtherWeights(t *testing.T) {
	t.Parallel()
	p := parity{TrainingLoss: 1, ServingLoss: 1 + 2e-5, Tolerance: parityTolerance}
	if p.holds() {
		t.Error("2e-5 apart, and it holds")
	}
	if p.ServingLoss = math.NaN(); p.holds() {
		t.Error("NaN holds")
	}
	if p.ServingLoss = 1 + 5e-6; !p.holds() {
		t.Error("5e-6 apart, and it does not hold")
	}
}

func TestCrossEntropy(t *testing.T) {
	t.Parallel()
	if got := crossEntropy([]float32{1000, 1000, 0, -1000}, 1); math.Abs(got-math.Ln2) > 1e-12 {
		t.Errorf("%v, want ln 2", got)
	}
}
