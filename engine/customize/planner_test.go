package customize

import (
	"context"
	"io"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/internal/tinymodel"
)

// object is an S3 of one object, whatever it is asked for.
type object struct {
	outcrop.Objects
	data string
}

func (o object) Get(context.Context, string, string) (io.ReadCloser, outcrop.ObjectInfo, error) {
	return io.NopCloser(strings.NewReader(o.data)), outcrop.ObjectInfo{}, nil
}

// planned returns what a Planner with so much memory says of a job on rows.
func planned(t *testing.T, memory int64, base outcrop.ModelFiles, rows string) (outcrop.TrainSpec, []byte, error) {
	t.Helper()
	spec, err := recipe.Parse(outcrop.FoundationModel{Defaults: outcrop.TrainDefaults{Epochs: 1, BatchSize: 1, LearningRate: 1e-4}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pool := tensor.NewPool(1)
	defer pool.Close()
	base.ContextLength = 64
	p := Planner{Exec: nn.Exec{Pool: pool, Kernel: gemm.Best()}, MemoryBytes: memory}
	job := &outcrop.Job{CustomizationType: outcrop.FineTuning, Train: spec, TrainingURI: "s3://b/train.jsonl", ValidationURIs: []string{"s3://b/val.jsonl"}}
	return p.PlanJob(t.Context(), job, base, object{data: rows})
}

// TestDataForAdaptersIsReadAsTheirBase: the data of a job on adapters are read in the form of the
// model that they belong to; their own directory need not have all that it depends on.
func TestDataForAdaptersIsReadAsTheirBase(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	if err := tinymodel.Write(base); err != nil {
		t.Fatal(err)
	}
	files := outcrop.ModelFiles{Dir: t.TempDir(), BaseDir: base}
	spec, report, err := planned(t, 0, files, `{"prompt": "a", "completion": "b"}`)
	if err != nil || report != nil || len(spec.Open) > 0 {
		t.Errorf("got %+v, %s, %v", spec, report, err)
	}
}

// TestPlanJobRefuses: a report comes with bad data, and with no other error.
func TestPlanJobRefuses(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	if err := tinymodel.Write(base); err != nil {
		t.Fatal(err)
	}
	files := outcrop.ModelFiles{Dir: base}
	_, report, err := planned(t, 0, files, "not JSON")
	if outcrop.ReasonOf(err) != outcrop.ReasonBadData || !strings.Contains(string(report), "train.jsonl") {
		t.Errorf("bad data: %v, report %s", err, report)
	}
	_, report, err = planned(t, 1<<20, files, `{"prompt": "a", "completion": "b"}`)
	if outcrop.CodeOf(err) != outcrop.CodeValidation || !strings.Contains(err.Error(), "of memory and there are 1 MiB") || report != nil {
		t.Errorf("too little memory: %v, report %s", err, report)
	}
}
