package server

import (
	"context"
	"io"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/internal/tinymodel"
	"outcrop.dev/outcrop/service/bedrock"
)

// TestDataForAdaptersIsReadAsTheirBase: the data of a job on adapters are read in the form of the
// model that they belong to; their own directory need not have all that it depends on.
func TestDataForAdaptersIsReadAsTheirBase(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	if err := tinymodel.Write(base); err != nil {
		t.Fatal(err)
	}
	spec, err := recipe.Parse(outcrop.FoundationModel{Defaults: outcrop.TrainDefaults{Epochs: 1, BatchSize: 1, LearningRate: 1e-4}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pool := tensor.NewPool(1)
	defer pool.Close()
	d := dataChecker{checker: &datacheck.Checker{Workers: 1}, exec: nn.Exec{Pool: pool, Kernel: gemm.Best()}}
	answer, err := d.Check(t.Context(), bedrock.DataCheck{
		Model: outcrop.ModelFiles{Dir: t.TempDir(), BaseDir: base, ContextLength: 64}, CustomizationType: outcrop.FineTuning, Train: spec,
		Training: bedrock.Dataset{Name: "s3://b/train.jsonl", Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(`{"prompt": "a", "completion": "b"}`)), nil
		}},
	})
	if err != nil || answer.Err != nil {
		t.Errorf("got %+v, %v", answer, err)
	}
}
