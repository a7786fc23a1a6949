package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/durable"
)

// Addition is how a model is to be added.
type Addition struct {
	ID             string   // such as acme.notes-v1; DefaultID of the directory if ""
	Aliases        []string // other ids for it
	Name, Provider string   // at most 20 characters; from the id if ""
	Description    string   // what it is; its family and size if ""
	// Link makes hard links instead of copies, where the file system allows it: no second
	// copy on the disk, for files that nobody else will change.
	Link bool
}

// Add puts the model in dir, in Hugging Face layout, into the catalog of a data directory,
// and returns its entry. It may be called while a server runs there, which sees the model at
// once, whole. CodeValidation says what is wrong with the ids or the model, CodeConflict that
// an id is taken, CodeQuotaExceeded that the disk has no room. When ctx ends before the files are copied, nothing is added.
func Add(ctx context.Context, dataDir, dir string, a Addition) (outcrop.FoundationModel, error) {
	if a.ID == "" {
		a.ID = DefaultID(dir)
	}
	src, err := newSource(dir)
	if err != nil {
		return outcrop.FoundationModel{}, cannotAdd(dir, err)
	}
	e, err := examine(dir, a)
	if err != nil {
		return outcrop.FoundationModel{}, cannotAdd(dir, err)
	}
	c, unlock, err := edit(dataDir)
	if err != nil {
		return outcrop.FoundationModel{}, err
	}
	defer unlock()
	for _, id := range append([]string{e.ID}, e.Aliases...) {
		if err := c.checkFree(id); err != nil {
			return outcrop.FoundationModel{}, err
		}
	}
	to := filepath.Join(c.dir, dirName(e.ID))
	if _, err := os.Stat(filepath.Join(to, EntryFile)); err == nil { // which does not say this id, or cannot be used
		return outcrop.FoundationModel{}, outcrop.Errorf(outcrop.CodeConflict, "The directory %s holds another model: choose another id, or move it away.", to)
	}
	if err := copyModel(ctx, to, src, e, a.Link); err != nil {
		return outcrop.FoundationModel{}, fmt.Errorf("add %s: %w", e.ID, err)
	}
	m, ok := c.Lookup(e.ID)
	if !ok {
		return m, fmt.Errorf("add %s: %w", e.ID, errors.Join(c.Problems()...))
	}
	return m, nil
}

// dirName is the name of the directory of a model: a colon is not welcome everywhere.
func dirName(id string) string { return strings.ReplaceAll(id, ":", "_") }

// CheckFree returns the error that Add would return for the ids: for who would find it out
// only after a long download.
func CheckFree(dataDir string, ids []string) error {
	c, unlock, err := edit(dataDir)
	if err != nil {
		return err
	}
	defer unlock()
	for _, id := range ids {
		if err := c.checkFree(id); err != nil {
			return err
		}
	}
	return nil
}

// checkFree returns a CodeConflict if another model has the id, or a CodeValidation if none can.
func (c *Catalog) checkFree(id string) error {
	if !idPattern.MatchString(id) {
		return outcrop.Errorf(outcrop.CodeValidation, "%q cannot be the id of a model: it must be %s.", id, idForm)
	}
	taken := func(by string) error {
		return outcrop.Errorf(outcrop.CodeConflict, "The id %s is taken (%s): choose another.", id, strings.TrimSuffix(by, "."))
	}
	if m, is := c.Lookup(id); is {
		return taken(cmp.Or(m.Description, m.ID))
	}
	if m, is := Embedded(id); is { // which the first start of a server writes
		return taken(m.Description)
	}
	return nil
}

// hubCache matches a snapshot in the cache of Hugging Face's own tools.
var hubCache = regexp.MustCompile(`/models--([^/]+)/snapshots/[^/]+$`)

// DefaultID makes an id of a directory's name: local.NAME, or ORG.NAME in the cache of Hugging
// Face's tools.
func DefaultID(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if m := hubCache.FindStringSubmatch(dir); m != nil {
		org, name, _ := strings.Cut(m[1], "--")
		return HubID(org + "/" + name)
	}
	return HubID("local/" + filepath.Base(dir))
}

// HubID makes an id of a model's name on the hub, ORG/NAME: org.name, in lower case, with a
// hyphen for what an id cannot have.
func HubID(repo string) string {
	org, name, ok := strings.Cut(repo, "/")
	if !ok {
		org, name = "huggingface", repo
	}
	org = strings.ReplaceAll(idWord(org), ".", "-")
	// An id has at most three parts after the provider.
	parts := strings.SplitN(idWord(name), ".", 3)
	parts[len(parts)-1] = strings.ReplaceAll(parts[len(parts)-1], ".", "-")
	return org + "." + strings.Join(parts, ".")
}

var notInID = regexp.MustCompile(`[^a-z0-9.-]+`)

func idWord(s string) string {
	s = notInID.ReplaceAllString(strings.ToLower(s), "-")
	return strings.Trim(strings.ReplaceAll(s, "..", "."), ".-")
}

// examine checks a model before anything is copied: config, tensors, tokenizer, template.
func examine(dir string, a Addition) (entry, error) {
	config, err := model.Check(dir)
	if err != nil {
		return entry{}, err
	}
	if err := checkTexts(dir, config); err != nil {
		return entry{}, err
	}
	e := newEntry(a, config)
	return e, e.check()
}

// CheckWithoutWeights returns the error that Add would return for the model in dir, as far as can
// be told without its weights: for who would find it out only after a long download.
func CheckWithoutWeights(dir string) error {
	config, err := model.ReadConfig(dir)
	if err == nil {
		err = checkTexts(dir, config)
	}
	if err != nil {
		return cannotAdd(dir, err)
	}
	return nil
}

func cannotAdd(dir string, err error) error {
	return outcrop.Errorf(outcrop.CodeValidation, "The model in %s cannot be added: %v.", dir, err)
}

// checkTexts checks the tokenizer and the chat template of a model.
func checkTexts(dir string, config model.Config) error {
	path := filepath.Join(dir, tokenizer.File)
	tok, err := tokenizer.Load(path)
	if err != nil {
		return err
	}
	if err := tok.Check(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	template, err := chattemplate.Load(dir, tok)
	if err != nil {
		return err
	}
	return checkVocab(config.Vocab, tok, template)
}

// checkVocab returns an error if text, or what the template writes round it, becomes tokens that
// the model has no embedding of. Special tokens that nothing writes may lie beyond it.
func checkVocab(vocab int, tok *tokenizer.Tokenizer, template *chattemplate.Template) error {
	if n := tok.Reach(); n > vocab {
		return fmt.Errorf("its tokenizer makes %d ids of text and config.json says vocab_size %d", n, vocab)
	}
	row, err := template.Row("a", "b")
	if err != nil {
		return err
	}
	for _, id := range append(row.Tokens, template.EndOfText()) {
		if int(id) >= vocab {
			return fmt.Errorf("its chat template writes token %d and config.json says vocab_size %d", id, vocab)
		}
	}
	return nil
}

func newEntry(a Addition, config model.Config) entry {
	provider, name, _ := strings.Cut(a.ID, ".")
	aliases := slices.Clone(a.Aliases)
	slices.Sort(aliases)
	aliases = slices.DeleteFunc(slices.Compact(aliases), func(alias string) bool { return alias == a.ID })
	e := entry{
		ID: a.ID, Aliases: aliases, Name: clip(name), Provider: clip(provider), Dialect: usualDialect, Customizations: customizations, LearningRateScale: 1,
		Description: fmt.Sprintf("Added to this server: %s, %d parameters, %d tokens of context.", config.Family, config.Params(), config.Context),
		Defaults:    defaults(Defaults(config.Params())),
	}
	for _, x := range []struct {
		to   *string
		from string
	}{{&e.Name, a.Name}, {&e.Provider, a.Provider}, {&e.Description, a.Description}} {
		if x.from != "" {
			*x.to = x.from
		}
	}
	return e
}

// Defaults returns what jobs on an added model of that many weights train with that name nothing.
func Defaults(params int) outcrop.TrainDefaults {
	return outcrop.TrainDefaults{Epochs: 3, BatchSize: 16, LearningRate: defaultRate(params), WarmupSteps: 20}
}

// defaultRate is a usual learning rate for full fine-tuning of a model of that size: it falls
// with about the square root of the size.
func defaultRate(params int) float64 {
	switch {
	case params < 50e6:
		return 5e-4
	case params < 500e6:
		return 1e-4
	}
	return 2e-5
}

func clip(s string) string {
	if r := []rune(s); len(r) > nameMax {
		return string(r[:nameMax])
	}
	return s
}

// copyModel makes the directory to from the files of a source, and its entry.
func copyModel(ctx context.Context, to string, src *source, e entry, link bool) error {
	temp, err := os.MkdirTemp(filepath.Dir(to), hidden+filepath.Base(to)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := src.checkDisk(temp, link); err != nil {
		return err
	}
	for _, f := range src.files {
		if err := bring(ctx, filepath.Join(temp, f.name), f.path, link); err != nil {
			return err
		}
	}
	if err := writeEntries(temp, entryFile{[]entry{e}}); err != nil {
		return err
	}
	return publish(temp, to)
}

// bring copies a file, or links it if asked to and possible.
func bring(ctx context.Context, to, from string, link bool) error {
	if link && os.Link(from, to) == nil {
		return nil
	}
	return durable.CopyFileContext(ctx, to, from, 0o644)
}

func writeEntries(dir string, f entryFile) error {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteBytes(filepath.Join(dir, EntryFile), 0o644, append(b, '\n'))
}
