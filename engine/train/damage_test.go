package train

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"outcrop.dev/outcrop/internal/trials"
)

// damages are what may become of one file of a checkpoint. older is the same file of the checkpoint before.
var damages = map[string]func(r *rand.Rand, path, older string) error{
	"a bit": func(r *rand.Rand, path, _ string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return os.WriteFile(path, b, 0o600)
	},
	"cut": func(r *rand.Rand, path, _ string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, r.Int64N(info.Size()))
	},
	"empty": func(_ *rand.Rand, path, _ string) error { return os.Truncate(path, 0) },
	"gone":  func(_ *rand.Rand, path, _ string) error { return os.Remove(path) },
	"older": func(_ *rand.Rand, path, older string) error {
		b, err := os.ReadFile(older)
		if err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o600)
	},
	"garbage": func(r *rand.Rand, path, _ string) error {
		b := make([]byte, 1+r.IntN(5000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return os.WriteFile(path, b, 0o600)
	},
	"a directory": func(_ *rand.Rand, path, _ string) error {
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.Mkdir(path, 0o700)
	},
}

// TestDamagedAtRandom: whatever has become of one file of the newest checkpoint, of a full run or
// of adapters, it is found, and the checkpoint before it is what the run goes on from, to the bit.
func TestDamagedAtRandom(t *testing.T) {
	t.Parallel()
	kinds := []string{"a bit", "cut", "empty", "gone", "older", "garbage", "a directory"}
	for name, s := range map[string]setup{"full": usual, "LoRA": lowRank} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole, tr := t.TempDir(), newTrainer(t, s)
			var before []float32
			for range 2 {
				before = weights(tr)
				run(t, tr, 1)
				if err := tr.Save(whole); err != nil {
					t.Fatal(err)
				}
			}
			r := rand.New(rand.NewPCG(11, 1))
			for i := range trials.N(100, 2500) {
				file, kind := []string{manifestFile, stateFile, tensorsFile}[i%3], kinds[i/3%len(kinds)]
				dir := filepath.Join(t.TempDir(), "checkpoints")
				if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
					t.Fatal(err)
				}
				path, older := filepath.Join(dir, "step-00000002", file), filepath.Join(dir, "step-00000001", file)
				if err := damages[kind](r, path, older); err != nil {
					t.Fatal(err)
				}
				found, err := tr.Restore(dir)
				if err != nil || len(found) != 1 || tr.Steps() != 1 || !slices.Equal(weights(tr), before) {
					t.Errorf("trial %d, %s %s: found %v, step %d, error %v", i, file, kind, found, tr.Steps(), err)
				}
				if _, err := tr.Restore(whole); err != nil || tr.Steps() != 2 {
					t.Fatalf("the whole one: step %d, error %v", tr.Steps(), err)
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
