package chattemplate

import (
	"testing"

	"outcrop.dev/outcrop/engine/model"
)

// TestNamesOfModelFiles: package model may not be imported here, and knows the same file.
func TestNamesOfModelFiles(t *testing.T) {
	t.Parallel()
	if modelFile != model.ConfigFile {
		t.Errorf("the model's configuration is %q here and %q in package model", modelFile, model.ConfigFile)
	}
}
