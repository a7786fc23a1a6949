package attempt

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

// TestRedeliver: what an attempt has finished while no server was there, the next attempt hands in, if
// it is whole; anything else is passed over and goes.
func TestRedeliver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		between func(t *testing.T, scratch string)
		done    bool
	}{
		"done":            {done: true},
		"not done":        {err: exitError(ExitSoftware)},
		"half a result":   {between: truncated(ResultFile)},
		"a damaged model": {between: truncated(filepath.Join(ModelDir, "model.safetensors"))},
		"a damaged epoch": {between: truncated(filepath.Join(EpochDir(1), "model.safetensors"))},
		"without its model": {between: func(t *testing.T, scratch string) {
			if err := os.RemoveAll(filepath.Join(scratch, ModelDir)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.finishAlone(c.err)
			if c.between != nil {
				c.between(t, w.spec.ScratchDir)
			}
			w.start(w.handler)
			client := w.connect()
			code, done := client.Redeliver(t.Context())
			if done != c.done || code != ExitDone {
				t.Fatalf("done %v, exit code %d", done, code)
			}
			if done {
				if r := w.jobs.results; len(r) != 1 || r[0].Attempt != testID.Number || r[0].Progress.Step != 7 || len(r[0].Manifest) != 64 {
					t.Errorf("results %+v", r)
				}
				return
			}
			if len(w.jobs.results) != 0 {
				t.Errorf("results %+v", w.jobs.results)
			}
			if _, again := readResult(w.spec.ScratchDir); again {
				t.Error("the result is still there")
			}
			_, err := os.Stat(filepath.Join(w.spec.ScratchDir, ModelDir))
			if kept := name == "not done" || name == "half a result"; (err == nil) != kept {
				t.Errorf("the model's directory: %v", err)
			}
		})
	}
}

// finishAlone ends an attempt while no server is there. The model and an epoch's end are there.
func (w *world) finishAlone(err error) {
	w.t.Helper()
	o := w.options()
	o.Patience = time.Millisecond
	c, connected := Connect(w.t.Context(), o)
	if connected != nil {
		w.t.Fatal(connected)
	}
	writeModel(w.t, filepath.Join(w.spec.ScratchDir, ModelDir))
	writeModel(w.t, filepath.Join(w.spec.ScratchDir, EpochDir(1)))
	w.server.Close()
	c.Finish(w.t.Context(), outcrop.Progress{Step: 7, Checkpoints: []outcrop.Checkpoint{{Epoch: 1}}}, err)
	r, _ := readResult(w.spec.ScratchDir)
	r.Attempt-- // the world's is the next one
	if err := writeResult(w.spec.ScratchDir, r); err != nil {
		w.t.Fatal(err)
	}
}

// truncated cuts a file below the scratch directory to half of its length.
func truncated(name string) func(*testing.T, string) {
	return func(t *testing.T, scratch string) {
		t.Helper()
		path := filepath.Join(scratch, name)
		info, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, info.Size()/2)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
