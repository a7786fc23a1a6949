package catalog

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/internal/sums"
)

// PebbleID is the id of the embedded model.
const PebbleID = "outcrop.pebble-v1"

// customizations are what Outcrop does to any model of the catalog.
var customizations = []string{outcrop.FineTuning, outcrop.ContinuedPreTraining}

// titanScale multiplies the learning rates of jobs that name a Titan id. Titan's documented
// rates (default 0.00001) suit a model some thousand times as large as Pebble, whose best
// rates are about fifty times as high: with 0.00001 unscaled its loss hardly moves.
const titanScale = 50

const titanDescription = "Served by Pebble (" + PebbleID + "), the small model that comes with Outcrop, so that scripts written for %s " +
	"go on working. It is not Amazon's model, and far less able. Learning rates are multiplied by %d."

// pebbleEntries are the ids that Pebble serves: its own, and those of the retired models whose
// scripts it keeps alive. Defaults are the documented ones of each ("custom-models-hp").
func pebbleEntries() entryFile {
	own := entry{
		ID: PebbleID, Name: "Pebble", Provider: "Outcrop", Dialect: usualDialect, Customizations: customizations, LearningRateScale: 1,
		Description: "The small model that comes with Outcrop: a base to fine-tune on a plain CPU, not an assistant.",
		Defaults:    defaults{Epochs: 3, BatchSize: 16, LearningRate: 5e-4, WarmupSteps: 20},
	}
	titan := func(id, name, longName string, d defaults, aliases ...string) entry {
		return entry{
			ID: id, Aliases: aliases, Name: name, Provider: "Amazon", Dialect: usualDialect, Customizations: customizations,
			LearningRateScale: titanScale, Description: fmt.Sprintf(titanDescription, longName, titanScale), Defaults: d,
		}
	}
	small := defaults{Epochs: 5, BatchSize: 1, LearningRate: 1e-5, WarmupSteps: 5}
	premier := defaults{Epochs: 2, BatchSize: 1, LearningRate: 1e-6, WarmupSteps: 5}
	return entryFile{[]entry{
		own,
		titan("amazon.titan-text-express-v1", "Titan Express/Pebble", "Titan Text Express", small, "amazon.titan-text-express-v1:0:8k"),
		titan("amazon.titan-text-lite-v1", "Titan Lite/Pebble", "Titan Text Lite", small, "amazon.titan-text-lite-v1:0:4k"),
		titan("amazon.titan-text-premier-v1:0", "Titan Premier/Pebble", "Titan Text Premier", premier, "amazon.titan-text-premier-v1:0:32k"),
	}}
}

// Embedded returns what the embedded model serves under an id or alias as a catalog would have it,
// without its directory; ok is false if it does not serve it.
func Embedded(id string) (m outcrop.FoundationModel, ok bool) {
	for _, e := range pebbleEntries().Models {
		if e.ID == id || slices.Contains(e.Aliases, id) {
			return e.foundationModel("", 0), true
		}
	}
	return outcrop.FoundationModel{}, false
}

// embedded returns the files of the directory that serves Pebble, entry included.
func embedded(files map[string][]byte) (map[string][]byte, error) {
	entries, err := json.MarshalIndent(pebbleEntries(), "", "  ")
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{EntryFile: append(entries, '\n')}
	for name, b := range files {
		all[name] = b
	}
	return all, nil
}

// extract makes dir hold exactly these files. What is there already is compared by SHA-256,
// and replaced as a whole if anything differs: after an upgrade, or when the disk failed.
func extract(dir string, files map[string][]byte) error {
	if same(dir, files) {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, hidden+filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(temp, name), b, 0o644); err != nil {
			return err
		}
	}
	return publish(temp, dir)
}

// hidden begins the names of directories that are not part of the catalog (yet).
const hidden = "."

// publish moves a directory that is complete to its place. Were it to be cut off between the
// removal of the old one and the move, the next start would extract again.
func publish(temp, dir string) error {
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := durable.SyncTree(temp); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return durable.Rename(temp, dir)
}

// same reports whether dir holds exactly these files. Their checksums may be beside them.
func same(dir string, files map[string][]byte) bool {
	entries, err := os.ReadDir(dir)
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == sums.File })
	if err != nil || len(entries) != len(files) {
		return false
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || sha256.Sum256(got) != sha256.Sum256(want) {
			return false
		}
	}
	return true
}
