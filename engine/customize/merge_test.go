package customize

import (
	"bytes"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/work/attempt"
)

// TestRunOnAdapters: a job may start from adapters: they are merged into the model that they
// belong to, and the result is whole. Cut off anywhere, it ends with the same bytes.
func TestRunOnAdapters(t *testing.T) {
	t.Parallel()
	first := job(t, 1)
	adapters(&first)
	p, err := Run(t.Context(), newFake(1), first, options())
	if err != nil {
		t.Fatal(err)
	}
	second := func() attempt.Spec {
		j := job(t, 1)
		j.ModelDir, j.BaseDir = filepath.Join(first.ScratchDir, attempt.ModelDir), first.ModelDir
		return j
	}
	whole, j := newFake(1), second()
	if _, err := Run(t.Context(), whole, j, options()); err != nil {
		t.Fatal(err)
	}
	csv := string(whole.objects[prefix+"/"+validationKeys(0)[0]])
	began := strings.Split(strings.Split(csv, "\n")[1], ",")[2]
	loss, err := strconv.ParseFloat(began, 64)
	if err != nil || math.Abs(loss-p.ValidationLosses[0]) > 0.02 { // the sum is rounded to bfloat16
		t.Errorf("the job begins with the loss %g, the adapters ended with %g", loss, p.ValidationLosses[0])
	}
	if _, err := model.LoadServing(filepath.Join(j.ScratchDir, attempt.ModelDir), exec()); err != nil {
		t.Errorf("the result is not whole: %v", err)
	}
	cut := newFake(1)
	cutOff(t, cut, second())
	for _, uri := range slices.Sorted(maps.Keys(whole.objects)) {
		if !bytes.Equal(whole.objects[uri], cut.objects[uri]) {
			t.Errorf("%s differs after interruptions", uri)
		}
	}
	other := second()
	other.BaseDir = copyOfTinyModel(t)
	otherBase(t, other.BaseDir)
	if _, err := Run(t.Context(), newFake(1), other, options()); err == nil || !strings.Contains(err.Error(), "was trained on outcrop.test with weights of SHA-256") {
		t.Errorf("another base than the adapters': %v", err)
	}
}

// TestCarry: the licence of the base goes with what is made of it, whatever its files are called.
func TestCarry(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	for name, want := range map[string]bool{"LICENSE.txt": true, "LICENSE.md": true, "NOTICE.md": true, "USE_POLICY.md": true, "README.md": false} {
		if err := os.WriteFile(filepath.Join(from, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := copyCarried(to, from); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(to, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
