package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
)

func added(t *testing.T, dataDir, id string, aliases ...string) outcrop.FoundationModel {
	t.Helper()
	m, err := Add(t.Context(), dataDir, filepath.Join(dataDir, Dir, PebbleID), Addition{ID: id, Aliases: aliases})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func noUsers() ([]string, error) { return nil, nil }

func TestAddWithNames(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	src := filepath.Join(dataDir, Dir, PebbleID)
	for _, name := range []string{"pytorch_model.bin", "consolidated.safetensors", "model.safetensors.index.json", ".gitattributes", "notes.txt", "README.md"} {
		if err := os.WriteFile(filepath.Join(src, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Add(t.Context(), dataDir, src, Addition{ID: "acme.notes", Aliases: []string{"acme.old", "acme.notes", "acme.old"}, Name: "Notes", Provider: "Acme", Description: "Ours.", Link: true})
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "Notes" || m.Provider != "Acme" || m.Description != "Ours." || !slices.Equal(m.Aliases, []string{"acme.old"}) {
		t.Errorf("%+v", m)
	}
	if got, ok := c.Lookup("acme.old"); !ok || got.ID != "acme.notes" {
		t.Errorf("the alias names %q, %v", got.ID, ok)
	}
	for name, want := range map[string]bool{
		"pytorch_model.bin": false, "consolidated.safetensors": false, "model.safetensors.index.json": false, ".gitattributes": false, "notes.txt": false, "README.md": true,
	} {
		if _, err := os.Stat(filepath.Join(m.Dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, _ := os.Stat(filepath.Join(m.Dir, "model.safetensors"))
	b, _ := os.Stat(filepath.Join(src, "model.safetensors"))
	if !os.SameFile(a, b) {
		t.Error("the weights were copied, not linked")
	}
	for want, x := range map[string]Addition{
		"is taken":                  {ID: "acme.new", Aliases: []string{"acme.old"}},
		"each must be":              {ID: "acme.new", Aliases: []string{"Old"}},
		"must have 1 to 20 charact": {ID: "acme.new", Name: strings.Repeat("n", 21)},
	} {
		if _, err := Add(t.Context(), dataDir, src, x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestAddIsInterrupted: an interrupt ends the copying, and leaves nothing.
func TestAddIsInterrupted(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Add(ctx, dataDir, filepath.Join(dataDir, Dir, PebbleID), Addition{ID: "acme.notes"})
	if entries, _ := os.ReadDir(c.dir); !errors.Is(err, context.Canceled) || len(entries) != 1 {
		t.Errorf("error %v, %d entries", err, len(entries))
	}
}

// TestVocabulary: a special token beyond the embedding, as google/gemma-3-1b-it and -270m-it have
// one for pictures, is no reason to refuse a model; one that text or the template becomes is.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	const rows = 8192
	for i, x := range []struct {
		id             int
		special        bool
		template, want string
	}{
		{rows, true, "", ""},
		{rows - 1, false, "", "id 8191 is also"},
		{rows, false, "", "8193 ids of text"},
		{rows, true, `{% for m in messages %}{{ '<more>' + m.content }}{% endfor %}`, "writes token 8192"},
	} {
		_, dataDir := opened(t)
		src := t.TempDir()
		for name, b := range tiny(t) {
			if name == "tokenizer.json" {
				more := fmt.Sprintf(`"added_tokens":[{"id":%d,"content":"<more>","special":%v},`, x.id, x.special)
				b = regexp.MustCompile(`"added_tokens":\s*\[`).ReplaceAllLiteral(b, []byte(more))
			}
			if err := os.WriteFile(filepath.Join(src, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if x.template != "" {
			if err := os.WriteFile(filepath.Join(src, "chat_template.jinja"), []byte(x.template), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Add(t.Context(), dataDir, src, Addition{ID: "acme.more"})
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%d: %v, want %q", i, err, x.want)
		}
	}
}

func TestDefaultIDs(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		"/m/SmolLM2-135M": "local.smollm2-135m", "/x/models--HuggingFaceTB--SmolLM2-135M/snapshots/abc": "huggingfacetb.smollm2-135m",
		"/m/Qwen2.5_0.5B-v1.0.1": "local.qwen2.5-0.5b-v1-0-1", "/m/x/": "local.x",
	} {
		if got := DefaultID(dir); got != want {
			t.Errorf("%s is %s, want %s", dir, got, want)
		}
	}
	for repo, want := range map[string]string{
		"Qwen/Qwen2.5-0.5B": "qwen.qwen2.5-0.5b", "gpt2": "huggingface.gpt2", "a.b/C..D": "a-b.c.d", "EleutherAI/pythia-14m": "eleutherai.pythia-14m",
	} {
		got := HubID(repo)
		if got != want || !idPattern.MatchString(got) {
			t.Errorf("%s is %s, want %s", repo, got, want)
		}
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	added(t, dataDir, "acme.notes", "acme.own")
	m, err := AddAliases(dataDir, "acme.notes", []string{"meta.llama-x", "acme.own", "acme.two"})
	if err != nil || !slices.Equal(m.Aliases, []string{"acme.own", "acme.two", "meta.llama-x"}) {
		t.Fatalf("%q, %v", m.Aliases, err)
	}
	if _, err := AddAliases(dataDir, PebbleID, []string{"acme.pebble"}); err != nil {
		t.Fatal(err)
	}
	for alias, want := range map[string]string{"meta.llama-x": "acme.notes", "acme.own": "acme.notes", "acme.pebble": PebbleID, "acme.none": ""} {
		if got, _ := c.Lookup(alias); got.ID != want {
			t.Errorf("%s is %q, want %q", alias, got.ID, want)
		}
	}
	for _, x := range []struct {
		id, alias string
		code      outcrop.Code
	}{
		{"acme.none", "acme.x", outcrop.CodeNotFound}, {"acme.notes", "Acme.X", outcrop.CodeValidation},
		{"acme.notes", PebbleID, outcrop.CodeConflict}, {"acme.notes", "amazon.titan-text-lite-v1", outcrop.CodeConflict}, {"acme.notes", "acme.pebble", outcrop.CodeConflict},
	} {
		if _, err := AddAliases(dataDir, x.id, []string{x.alias}); outcrop.CodeOf(err) != x.code {
			t.Errorf("%s for %s: %v, want %s", x.alias, x.id, err, x.code)
		}
	}
	used := func(alias string) ([]string, error) {
		if alias == "meta.llama-x" {
			return []string{"the custom model y"}, nil
		}
		return nil, nil
	}
	if _, err := RemoveAliases(dataDir, []string{"acme.own", "meta.llama-x"}, used); outcrop.CodeOf(err) != outcrop.CodeConflict || !strings.Contains(err.Error(), "meta.llama-x of acme.notes cannot be removed while it is needed by the custom model y") {
		t.Errorf("error %v", err)
	}
	if m, _ := c.Lookup("meta.llama-x"); m.ID != "acme.notes" {
		t.Error("an alias that is needed is gone")
	}
	if m, err = RemoveAliases(dataDir, []string{"meta.llama-x", "acme.own"}, notUsed); err != nil || !slices.Equal(m.Aliases, []string{"acme.two"}) {
		t.Errorf("left %q, %v", m.Aliases, err)
	}
	for alias, code := range map[string]outcrop.Code{
		"meta.llama-x": outcrop.CodeNotFound, "acme.notes": outcrop.CodeValidation, "amazon.titan-text-express-v1:0:8k": outcrop.CodeValidation,
	} {
		if _, err := RemoveAliases(dataDir, []string{alias}, notUsed); outcrop.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", alias, err, code)
		}
	}
	if p := c.Problems(); len(p) > 0 {
		t.Error(p)
	}
}

func TestBadAliasFile(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	path := filepath.Join(dataDir, Dir, AliasFile)
	for content, want := range map[string]string{
		`{`: AliasFile, `{"acme.x":"acme.none"}`: "there is no model acme.none", `{"amazon.titan-text-lite-v1":"` + PebbleID + `"}`: "has that name",
		strings.Repeat(" ", entryBytesMax+1): "longer than",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c.seen = nil // two writes within a tick of the clock look the same
		if p := c.Problems(); len(p) != 1 || !strings.Contains(p[0].Error(), want) {
			t.Errorf("%.40s: %v, want %q", content, p, want)
		}
		if _, ok := c.Lookup(PebbleID); !ok {
			t.Error("the models are not served any more")
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	m := added(t, dataDir, "acme.notes:1")
	if _, err := AddAliases(dataDir, "acme.notes:1", []string{"acme.alias"}); err != nil {
		t.Fatal(err)
	}
	asked := 0
	users := func() ([]string, error) {
		if asked++; asked == 1 {
			return nil, nil // one comes in between
		}
		return []string{"the job x", "the custom model y"}, nil
	}
	err := Remove(dataDir, "acme.notes:1", users)
	if outcrop.CodeOf(err) != outcrop.CodeConflict || !strings.Contains(err.Error(), "the job x, the custom model y") || asked != 2 {
		t.Errorf("error %v, asked %d times", err, asked)
	}
	failure := errors.New("no answer")
	if err := Remove(dataDir, "acme.notes:1", func() ([]string, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if _, ok := c.Lookup("acme.notes:1"); !ok {
		t.Fatal("a model that is needed is gone")
	}
	for id, code := range map[string]outcrop.Code{
		PebbleID: outcrop.CodeValidation, "amazon.titan-text-lite-v1": outcrop.CodeValidation, "acme.alias": outcrop.CodeValidation, "acme.none": outcrop.CodeNotFound,
	} {
		if err := Remove(dataDir, id, noUsers); outcrop.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", id, err, code)
		}
	}
	if err := Remove(dataDir, "acme.notes:1", noUsers); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(m.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its files are still there: %v", err)
	}
	if _, ok := c.Lookup("acme.alias"); ok || len(c.Problems()) > 0 {
		t.Errorf("its alias is still there; %v", c.Problems())
	}
	again := added(t, dataDir, "acme.notes:1")
	if again.Dir != m.Dir {
		t.Errorf("%s, then %s", m.Dir, again.Dir)
	}
}

// TestRemoveAfterOneCutOff: what a removal that was cut off has left aside is no obstacle to the next.
func TestRemoveAfterOneCutOff(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	m := added(t, dataDir, "acme.notes")
	left := filepath.Join(c.dir, hidden+"removed-acme.notes", "x")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dataDir, "acme.notes", noUsers); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{m.Dir, filepath.Dir(left)} {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}

// TestOtherSpellings: what finds a model without being its id or alias is neither removed nor said
// to be.
func TestOtherSpellings(t *testing.T) {
	t.Parallel()
	_, dataDir := opened(t)
	added(t, dataDir, "acme.notes", "acme.alias")
	for alias, want := range map[string]string{"acme.alias:0": "acme.notes has acme.alias", "acme.notes:0": "no alias"} {
		if _, err := RemoveAliases(dataDir, []string{alias}, notUsed); outcrop.CodeOf(err) != outcrop.CodeNotFound || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", alias, err)
		}
	}
	if err := Remove(dataDir, "acme.notes:0", noUsers); err == nil || !strings.Contains(err.Error(), "means acme.notes") {
		t.Errorf("error %v", err)
	}
}

// TestStartTidies: the first start after a crash ends what commands had begun, but none that is
// still at work.
func TestStartTidies(t *testing.T) {
	t.Parallel()
	_, dataDir := opened(t)
	m := added(t, dataDir, "acme.notes:1")
	entry, half := filepath.Join(m.Dir, EntryFile), filepath.Join(dataDir, Dir, ".acme.other-1")
	if err := errors.Join(os.Rename(entry, entry+removedSuffix), os.Mkdir(half, 0o700)); err != nil {
		t.Fatal(err)
	}
	_, unlock, err := edit(dataDir) // a command that goes on
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Lookup("acme.notes:1"); ok {
		t.Error("a model is there that a command is removing")
	}
	if _, err := os.Stat(half); err != nil {
		t.Error("a directory is gone that a command is writing: ", err)
	}
	unlock()
	if c, err = Open(dataDir); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Lookup("acme.notes:1"); !ok || len(c.Problems()) > 0 {
		t.Errorf("a model that was half removed is not back; %v", c.Problems())
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Error("half a directory is still there: ", err)
	}
}

func TestRemoveOfSharedFiles(t *testing.T) {
	t.Parallel()
	c, dataDir := opened(t)
	m := added(t, dataDir, "acme.one")
	f, err := readEntryFile(m.Dir)
	if err != nil {
		t.Fatal(err)
	}
	f.Models = append(f.Models, f.Models[0])
	f.Models[1].ID = "acme.two"
	if err := writeEntries(m.Dir, f); err != nil {
		t.Fatal(err)
	}
	c.seen = nil
	if err := Remove(dataDir, "acme.one", noUsers); outcrop.CodeOf(err) != outcrop.CodeValidation || !strings.Contains(err.Error(), "serve acme.two too") {
		t.Errorf("error %v", err)
	}
}

// TestAddTakesNoOthersDirectory: a directory is named after an id, but its entry may say another.
func TestAddTakesNoOthersDirectory(t *testing.T) {
	t.Parallel()
	_, dataDir := opened(t)
	m := added(t, dataDir, "acme.first")
	entry := filepath.Join(m.Dir, EntryFile)
	b, err := os.ReadFile(entry)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(entry, []byte(strings.ReplaceAll(string(b), "acme.first", "acme.second")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Add(t.Context(), dataDir, filepath.Join(dataDir, Dir, PebbleID), Addition{ID: "acme.first"})
	if outcrop.CodeOf(err) != outcrop.CodeConflict || !strings.Contains(err.Error(), "another model") {
		t.Errorf("got %v", err)
	}
	c, err := Read(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Lookup("acme.second"); !ok {
		t.Error("the other model is gone")
	}
}

func notUsed(string) ([]string, error) { return nil, nil }
