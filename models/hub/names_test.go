package hub

import (
	"slices"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
)

// TestNamesOfModelFiles: what a model is loaded from is fetched. The hub's names of files stand
// here as the hub has them, without the packages that read the files.
func TestNamesOfModelFiles(t *testing.T) {
	t.Parallel()
	for _, name := range append([]string{model.ConfigFile, model.GenerationFile, tokenizer.File}, chattemplate.Files...) {
		if !slices.Contains(outcrop.TextFiles, name) {
			t.Errorf("%s is not fetched", name)
		}
	}
}
