package models_test

import (
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/models"
	"outcrop.dev/outcrop/models/catalog"
)

// TestAnywhere: whom the machine belongs to finds a model in whatever scope it is, with its files;
// adapters lie beside the custom model that they were trained on.
func TestAnywhere(t *testing.T) {
	t.Parallel()
	foundation, err := catalog.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, foundation)
	abroad := outcrop.Scope{Account: home.Account, Region: "eu-west-3"}
	w.custom(abroad.ARN(outcrop.KindCustomModel, "acme.gone-v1/twintwintwin"), "spare", "")
	all := models.New(foundation, w.store, "/models")
	for _, row := range []struct{ identifier, dir, base, code string }{
		{pebbleID, "pebble", "", ""},
		{"amazon.titan-text-lite-v1:0:4k", "pebble", "", ""},
		{"arn:aws:bedrock:eu-west-1::foundation-model/outcrop.pebble-v1", "pebble", "", ""},
		{"whole", "/models/wholewhole01", "", ""},
		{"wholewhole01", "/models/wholewhole01", "", ""},
		{string(wholeARN), "/models/wholewhole01", "", ""},
		{"lora", "/models/loraloralora", "/models/wholewhole01", ""},
		{string(loraARN), "/models/loraloralora", "/models/wholewhole01", ""},
		{"twintwintwin", "/models/twintwintwin", "", absent}, // its foundation model is gone, its files are not
		{"spare", "", "", refused},
		{"coming", "", "", absent},
		{"serving", "", "", absent},
		{"none", "", "", absent},
	} {
		var files outcrop.ModelFiles
		m, err := all.Anywhere(t.Context(), row.identifier)
		if err == nil {
			files, err = all.Files(t.Context(), m.Ref())
		}
		if strings.HasSuffix(files.Dir, catalog.PebbleID) {
			files.Dir = "pebble"
		}
		if files.Dir != row.dir || files.BaseDir != row.base || string(outcrop.CodeOf(err)) != row.code {
			t.Errorf("%s: %+v, %v; want %+v", row.identifier, files, err, row)
		}
	}
	if _, err := all.Anywhere(t.Context(), "spare"); !strings.Contains(err.Error(), "sparespare01") || !strings.Contains(err.Error(), "twintwintwin") {
		t.Errorf("which of the two: %v", err)
	}
}
