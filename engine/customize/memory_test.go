package customize

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/internal/tinymodel"
)

// memoryTolerance is how far the planned memory may be from what a worker takes.
const memoryTolerance = 0.15

// estimateTolerance is how much more the plan before the job may promise: it does not know which
// rows will meet in a batch, and takes the worst.
const estimateTolerance = 0.25

// shape is a job whose memory is measured: large enough for tensors to matter beside the
// program itself, and short.
type shape struct {
	Name                                       string
	Hidden, FFN, Layers, Heads, KVHeads, Vocab int
	Rows, Words, Batch                         int
	Hyper                                      map[string]string
	Float32                                    bool // as on a CPU without instructions for bfloat16
}

var shapes = []shape{
	{"short rows", 128, 384, 4, 4, 2, 8192, 64, 20, 32, nil, false},
	{"long rows", 64, 192, 6, 4, 4, 8192, 8, 500, 4, nil, false},
	{"large vocabulary", 64, 128, 1, 4, 4, 100_000, 16, 30, 8, nil, false},
	{"cut steps", 128, 384, 4, 4, 4, 8192, 64, 60, 64, map[string]string{"microBatchTokens": "1024"}, false},
	{"activations computed again", 96, 256, 12, 4, 4, 8192, 32, 60, 32, map[string]string{"activationCheckpointing": "true"}, false},
	{"LoRA", 128, 384, 6, 4, 4, 8192, 32, 40, 32, map[string]string{"method": "lora"}, false},
	{"LoRA, wide", 1024, 2048, 4, 8, 8, 8192, 4, 20, 2, map[string]string{"method": "lora", "activationCheckpointing": "true"}, false},
	{"adapters and long rows", 96, 256, 8, 4, 4, 8192, 2, 1500, 2, map[string]string{"method": "lora", "activationCheckpointing": "true"}, false},
	{"many rows", 32, 64, 1, 2, 2, 8192, 20_000, 10, 64, nil, false},
	{"LoRA, float32", 256, 704, 8, 4, 4, 8192, 4, 20, 2, map[string]string{"method": "lora"}, true},
}

const memoryChild = "OUTCROP_TEST_MEMORY_OF"

// TestPlannedMemory runs jobs in processes of their own, and compares the greatest memory that
// they took with what was planned for them.
func TestPlannedMemory(t *testing.T) {
	if of := os.Getenv(memoryChild); of != "" {
		childOfMemoryTest(t, of)
		return
	}
	t.Parallel()
	if raceEnabled {
		t.Skip("SKIPPED: the race detector takes several times the memory of the program")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shapes {
		t.Run(s.Name, func(t *testing.T) { s.compare(t, self) })
	}
}

// compare runs the job in a process of its own.
func (s *shape) compare(t *testing.T, self string) {
	of, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command(self, "-test.run=^TestPlannedMemory$", "-test.v")
	cmd.Env = append(os.Environ(), memoryChild+"="+string(of))
	if s.Float32 {
		cmd.Env = append(cmd.Env, float32Variable+"=1")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, line, _ := strings.Cut(string(out), "MEMORY ")
	var planned, estimated, taken float64
	if _, err := fmt.Sscan(line, &planned, &estimated, &taken); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	line, _, _ = strings.Cut(line, "\n")
	for name, bytes := range map[string]float64{"the worker": planned, "the plan before the job": estimated} {
		off := bytes/taken - 1
		t.Logf("%s said %.0f MiB, %.0f were taken: %+.1f %% (%s)", name, bytes/(1<<20), taken/(1<<20), 100*off, line)
		if off < -memoryTolerance || off > memoryTolerance && (name == "the worker" || off > estimateTolerance) {
			t.Errorf("%s is off by %.1f %%", name, 100*off)
		}
	}
}

// childOfMemoryTest does the job and prints what was planned and taken, in bytes.
func childOfMemoryTest(t *testing.T, of string) {
	var s shape
	if err := json.Unmarshal([]byte(of), &s); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := tinymodel.Write(dir); err != nil {
		t.Fatal(err)
	}
	s.writeModel(t, dir)
	f := newFake(1)
	f.objects["s3://b/train.jsonl"], f.objects["s3://b/val0.jsonl"] = []byte(s.lines(s.Rows)), []byte(s.lines(s.Batch))
	j := job(t, 1)
	hp := map[string]string{"epochCount": "1", "batchSize": fmt.Sprint(s.Batch), "evaluationInterval": "1000"}
	for name, value := range s.Hyper {
		hp[name] = value
	}
	spec, err := recipe.Parse(outcrop.FoundationModel{Defaults: outcrop.TrainDefaults{LearningRate: 1e-4}}, hp)
	if err != nil {
		t.Fatal(err)
	}
	j.ModelDir, j.ContextLength = dir, 4096
	report, err := (&datacheck.Checker{}).Check(t.Context(), dir, 4096, text("train", s.lines(s.Rows)), []datacheck.Source{text("val", s.lines(s.Batch))})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(outcrop.ModelFiles{Dir: dir}, exec(), report, spec, 0)
	if err != nil {
		t.Fatal(err)
	}
	j.Train = plan.Train
	resetPeak(t)
	if _, err := Run(context.Background(), f, j, options()); err != nil {
		t.Fatal(err)
	}
	var r trainingReport
	if err := json.Unmarshal(f.objects[prefix+"/"+trainingReportKey], &r); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("MEMORY %d %d %d %s\n", r.PlannedMemory.Total(), plan.Memory.Total(), peak(t), r.PlannedMemory)
}

func (s *shape) lines(n int) string {
	var b strings.Builder
	for i := range n {
		words := strings.Repeat(fmt.Sprintf("the number %d of ", i), s.Words/5)
		b.WriteString(rows(words+fmt.Sprint(n), "it is so"))
	}
	return b.String()
}

func (s *shape) writeModel(t *testing.T, dir string) {
	t.Helper()
	m, err := model.New(model.Config{
		Family: "llama", Hidden: s.Hidden, FFN: s.FFN, Layers: s.Layers, Heads: s.Heads, KVHeads: s.KVHeads, HeadSize: s.Hidden / s.Heads,
		Vocab: s.Vocab, Context: 4096, NormEps: 1e-5, Theta: 10000, Tied: true, DType: model.BFloat16, EOS: []int{8186},
	}, exec())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Init(7)
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
}

// resetPeak makes the kernel forget the greatest memory so far.
func resetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Logf("the peak includes the test's own preparation: %v", err)
	}
}

// peak returns the greatest resident memory of this process, in bytes.
func peak(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc/self", "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatal("the kernel does not tell the peak")
	return 0
}
