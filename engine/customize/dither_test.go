package customize

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/safetensors"
)

// TestDitheredRun: with every kernel a job that learns nothing, because its rate is 0, publishes the base
// model's weights to the bit, although its masters were dithered, and its first validation is that of the base
// model as it is. One with `dither` false begins alike, and ends with other weights once it learns.
func TestDitheredRun(t *testing.T) {
	t.Parallel()
	for _, k := range gemm.Kernels() {
		t.Run(k.Name(), func(t *testing.T) {
			t.Parallel()
			o := options()
			o.Exec.Kernel = k
			idle, idleLosses := ditheredRun(t, o, true, 0)
			base, err := os.ReadFile(filepath.Join(tinyModel(), model.WeightsFile))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(idle.published, base) {
				t.Error("rate 0 changes the weights")
			}
			if same := slices.Equal(idle.masters, mastersOf(t, filepath.Join(tinyModel(), model.WeightsFile))); same {
				t.Error("the masters were not dithered")
			}
			dithered, losses := ditheredRun(t, o, true, 1e-5)
			plain, plainLosses := ditheredRun(t, o, false, 1e-5)
			if losses[0] != idleLosses[0] || losses[0] != plainLosses[0] {
				t.Errorf("the base model's validation loss is %v, %v and %v", idleLosses[0], losses[0], plainLosses[0])
			}
			if bytes.Equal(dithered.published, plain.published) {
				t.Error("dither changes nothing")
			}
		})
	}
}

// weightsOf are the weights that a job has published, and its last masters of the embedding.
type weightsOf struct {
	published []byte
	masters   []float32
}

func ditheredRun(t *testing.T, o Options, dither bool, rate float64) (w weightsOf, losses []float64) {
	t.Helper()
	f, j := newFake(1), job(t, 1)
	j.Train.Dither, j.Train.LearningRate, j.Train.Epochs = dither, rate, 1
	if _, err := Run(t.Context(), f, j, o); err != nil {
		t.Fatal(err)
	}
	for _, r := range f.reports {
		losses = append(losses, r.ValidationLosses...)
	}
	checkpoints, err := filepath.Glob(filepath.Join(j.ScratchDir, "checkpoints", "step-*", "state.safetensors"))
	if err != nil || len(checkpoints) == 0 {
		t.Fatalf("checkpoints %v, %v", checkpoints, err)
	}
	if manifest := f.objects[prefix+"/manifest.json"]; bytes.Contains(manifest, []byte(`"Dither": true`)) != dither {
		t.Errorf("the manifest says otherwise: %s", manifest)
	}
	return weightsOf{f.objects[prefix+"/model/"+model.WeightsFile], mastersOf(t, slices.Max(checkpoints))}, losses
}

// mastersOf returns the embedding in a file, as float32.
func mastersOf(t *testing.T, path string) []float32 {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const name = "model.embed_tokens.weight"
	info, ok := f.Info(name)
	if !ok {
		t.Fatalf("no %s in %s", name, path)
	}
	x := make([]float32, info.Elements())
	if err := f.ReadFloat32(name, x); err != nil {
		t.Fatal(err)
	}
	return x
}
