package catalog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/internal/tinymodel"
)

// tiny returns the files of a model that stands in for Pebble.
func tiny(t *testing.T) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	if err := tinymodel.Write(dir); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func opened(t *testing.T) (c *Catalog, dataDir string) {
	t.Helper()
	dataDir = t.TempDir()
	c, err := open(dataDir, tiny(t), usualDialect)
	if err != nil || len(c.Problems()) > 0 {
		t.Fatal(err, c.Problems())
	}
	return c, dataDir
}

func TestLookup(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	dir := filepath.Join(dataDir, "foundation-models", "outcrop.pebble-v1")
	for _, x := range []struct{ id, want string }{
		{"outcrop.pebble-v1", "outcrop.pebble-v1"},
		{"amazon.titan-text-express-v1", "amazon.titan-text-express-v1"},
		{"amazon.titan-text-express-v1:0:8k", "amazon.titan-text-express-v1"},
		{"amazon.titan-text-express-v1:0", "amazon.titan-text-express-v1"},
		{"amazon.titan-text-lite-v1:0:4k", "amazon.titan-text-lite-v1"},
		{"amazon.titan-text-premier-v1:0", "amazon.titan-text-premier-v1:0"},
		{"amazon.titan-text-premier-v1:0:32k", "amazon.titan-text-premier-v1:0"},
		{"arn:aws:bedrock:eu-west-3::foundation-model/amazon.titan-text-express-v1:0:8k", "amazon.titan-text-express-v1"},
		{"amazon.titan-text-express-v2", ""},
		{"amazon.titan-text-premier-v1", ""},
		{"arn:aws:bedrock:us-east-1:123456789012:custom-model/outcrop.pebble-v1", ""},
		{"", ""},
	} {
		m, ok := c.Lookup(x.id)
		if ok != (x.want != "") || m.ID != x.want {
			t.Errorf("%s is %q, %v; want %q", x.id, m.ID, ok, x.want)
		}
		if ok && (m.Dir != dir || m.FilesID != PebbleID || m.ContextLength != tinymodel.Context || m.Dialect != "titan" || !slices.Contains(m.Customizations, "FINE_TUNING")) {
			t.Errorf("%s: %+v", x.id, m)
		}
	}
	if n := len(c.List()); n != 4 {
		t.Errorf("%d models in the list", n)
	}
}

// TestTitanIsHonest: what stands in for another model says so, within AWS's limits.
func TestTitanIsHonest(t *testing.T) {
	t.Parallel()
	c, _ := opened(t)
	for _, m := range c.List() {
		if len([]rune(m.Name)) > 20 || len([]rune(m.Provider)) > 20 {
			t.Errorf("%s: name %q or provider %q is too long", m.ID, m.Name, m.Provider)
		}
		if m.ID == PebbleID {
			if m.LearningRateScale != 1 || m.Defaults != (outcrop.TrainDefaults{Epochs: 3, BatchSize: 16, LearningRate: 5e-4, WarmupSteps: 20}) {
				t.Errorf("%+v", m)
			}
			continue
		}
		if !strings.Contains(m.Description, "Served by Pebble") || !strings.Contains(m.Description, "multiplied by 50") || m.LearningRateScale != 50 {
			t.Errorf("%s: scale %g, %q", m.ID, m.LearningRateScale, m.Description)
		}
		spec, err := recipe.Parse(m, map[string]string{"learningRate": "0.00001", "epochCount": "3", "batchSize": "8"})
		if err != nil || spec.LearningRate < 4.9e-4 || spec.LearningRate > 5.1e-4 {
			t.Errorf("%s: %+v, %v", m.ID, spec, err)
		}
	}
}

func TestOpenMendsTheEmbeddedModel(t *testing.T) {
	t.Parallel()
	dataDir, files := t.TempDir(), tiny(t)
	path := filepath.Join(dataDir, Dir, PebbleID, "model.safetensors")
	reopen := func() time.Time {
		t.Helper()
		c, err := open(dataDir, files)
		if err != nil || len(c.List()) == 0 {
			t.Fatal(err, c.Problems())
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	first := reopen()
	if again := reopen(); !again.Equal(first) {
		t.Error("files that were right have been written again")
	}
	b, _ := os.ReadFile(path)
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(dataDir, Dir, ".outcrop.pebble-v1-123")
	if err := os.Mkdir(half, 0o755); err != nil {
		t.Fatal(err)
	}
	reopen()
	if got, _ := os.ReadFile(path); string(got) != string(files["model.safetensors"]) {
		t.Error("a damaged file was kept")
	}
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the half of an extraction was kept")
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "extra.safetensors"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	reopen()
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "extra.safetensors")); err == nil {
		t.Error("a file that does not belong there was kept")
	}
}

func TestModelWithoutWeightsIsAProblem(t *testing.T) {
	t.Parallel()
	files := tiny(t)
	delete(files, model.WeightsFile)
	c, err := open(t.TempDir(), files)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Problems(); len(c.List()) != 0 || len(p) != 1 || !strings.Contains(p[0].Error(), "is not served") {
		t.Errorf("%d models, problems %v", len(c.List()), p)
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	src := filepath.Join(dataDir, Dir, PebbleID)
	m, err := Add(t.Context(), dataDir, src, Addition{ID: "acme.notes-v1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != "acme.notes-v1:0" || m.Provider != "acme" || m.Name != "notes-v1:0" || m.Dir == src {
		t.Errorf("%+v", m)
	}
	if got, ok := c.Lookup("acme.notes-v1:0"); !ok || got.Dir != m.Dir {
		t.Errorf("the running catalog has %+v, %v", got, ok)
	}
	for _, x := range []struct {
		dir, id string
		code    outcrop.Code
		want    string
	}{
		{src, "acme.notes-v1:0", outcrop.CodeConflict, "is taken"},
		{src, "amazon.titan-text-express-v1", outcrop.CodeConflict, "Served by Pebble"},
		{src, "Acme.Notes", outcrop.CodeValidation, "lower case"},
		{src, "../escape", outcrop.CodeValidation, "lower case"},
		{src, "nodot", outcrop.CodeValidation, "must be PROVIDER.NAME"},
		{t.TempDir(), "acme.empty", outcrop.CodeValidation, "config.json"},
	} {
		if _, err := Add(t.Context(), dataDir, x.dir, Addition{ID: x.id}); outcrop.CodeOf(err) != x.code || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %s %q", x.id, err, x.code, x.want)
		}
	}
	if err := os.RemoveAll(m.Dir); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Lookup("acme.notes-v1:0"); ok {
		t.Error("a model that is gone is still served")
	}
}

func TestBadEntriesAreNotServed(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	good := `{"models":[{"id":"acme.x","name":"x","provider":"acme","dialect":"titan","learningRateScale":1,"defaults":{"epochCount":1,"batchSize":1,"learningRate":0.1}}]}`
	dir := filepath.Join(dataDir, Dir, "acme.x")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range tiny(t) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, x := range []struct{ old, new, want string }{
		{"", "", ""},
		{`{"models"`, `{"models`, "outcrop.json"},
		{`"acme.x"`, `"acme x"`, "the id must be"},
		{`"name":"x"`, `"name":"123456789012345678901"`, "1 to 20 characters"},
		{`"dialect":"titan",`, ``, "dialect is missing"},
		{`"dialect":"titan"`, `"dialect":"nova"`, `there is no dialect "nova": it must be one of ["titan"]`},
		{`"learningRateScale":1`, `"learningRateScale":0`, "above 0"},
		{`"epochCount":1`, `"epochCount":11`, "out of range"},
		{`"learningRate":0.1`, `"learningRate":1.1`, "out of range"},
		{`"acme.x"`, `"outcrop.pebble-v1"`, "outcrop.pebble-v1 has that name"},
		{`"name":"x"`, `"name":"x","aliases":["amazon.titan-text-lite-v1"]`, "amazon.titan-text-lite-v1 of acme.x is not served"},
		{`{`, `{"x":"` + strings.Repeat("y", entryBytesMax) + `",`, "longer than"},
	} {
		path := filepath.Join(dir, EntryFile)
		if err := os.WriteFile(path, []byte(strings.Replace(good, x.old, x.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(1000+i), 0) // the file system's clock may be too coarse to tell two writes apart
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		problems := ""
		for _, p := range c.Problems() {
			problems += p.Error()
		}
		if x.want == "" && problems != "" || !strings.Contains(problems, x.want) {
			t.Errorf("%s: problems %q, want %q", x.new, problems, x.want)
		}
		if m, ok := c.Lookup("amazon.titan-text-lite-v1"); !ok || m.ID != "amazon.titan-text-lite-v1" {
			t.Errorf("%s: Titan Lite is %+v", x.new, m)
		}
		if m, ok := c.Lookup("outcrop.pebble-v1"); !ok || m.Description == "" {
			t.Errorf("%s: the embedded model is %+v", x.new, m)
		}
	}
}
