package catalog

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/model"
)

// Add copies the model in dir, in Hugging Face layout, into the catalog of a data directory
// under id, and returns its entry. It may be called while a server runs there. CodeValidation
// says what is wrong with the id or the model, CodeConflict that the id is taken.
func Add(dataDir, dir, id string) (outcrop.FoundationModel, error) {
	e, err := examine(dir, id)
	if err != nil {
		return outcrop.FoundationModel{}, err
	}
	to := filepath.Join(dataDir, Dir, strings.ReplaceAll(id, ":", "_"))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return outcrop.FoundationModel{}, err
	}
	c := &Catalog{dir: filepath.Dir(to)}
	if m, taken := c.Lookup(id); taken || id == PebbleID {
		return outcrop.FoundationModel{}, outcrop.Errorf(outcrop.CodeConflict, "The id %s is taken (%s): choose another.", id, m.Description)
	}
	if err := copyModel(to, dir, e); err != nil {
		return outcrop.FoundationModel{}, fmt.Errorf("add %s: %w", id, err)
	}
	m, ok := c.Lookup(id)
	if !ok {
		return m, fmt.Errorf("add %s: %v", id, c.Problems())
	}
	return m, nil
}

// examine checks a model before anything is copied: config, tensors, tokenizer, template.
func examine(dir, id string) (entry, error) {
	bad := func(format string, args ...any) (entry, error) {
		return entry{}, outcrop.Errorf(outcrop.CodeValidation, "The model in %s cannot be added: %s.", dir, fmt.Sprintf(format, args...))
	}
	config, err := model.Check(dir)
	if err != nil {
		return bad("%v", err)
	}
	tok, err := tokenizer.Load(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return bad("%v", err)
	}
	if _, err := chattemplate.Load(dir, tok); err != nil {
		return bad("%v", err)
	}
	if tok.VocabSize() > config.Vocab {
		return bad("its tokenizer has %d ids and config.json says vocab_size %d", tok.VocabSize(), config.Vocab)
	}
	provider, name, _ := strings.Cut(id, ".")
	e := entry{
		ID: id, Name: clip(name), Provider: clip(provider), Dialect: "titan", Customizations: []string{"FINE_TUNING"}, LearningRateScale: 1,
		Description: fmt.Sprintf("Added to this server: %s, %d parameters, %d tokens of context.", config.Family, config.Params(), config.Context),
		Defaults:    defaults(Defaults(config.Params())),
	}
	if err := e.check(); err != nil {
		return bad("%v", err)
	}
	return e, nil
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

// copyModel copies the regular files of a directory, and no other's links or folders.
func copyModel(to, from string, e entry) error {
	temp, err := os.MkdirTemp(filepath.Dir(to), hidden+filepath.Base(to)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range entries {
		info, err := os.Stat(filepath.Join(from, f.Name())) // the hub's cache is links to files
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || strings.HasPrefix(f.Name(), hidden) || f.Name() == EntryFile {
			continue
		}
		if err := durable.CopyFile(filepath.Join(temp, f.Name()), filepath.Join(from, f.Name()), 0o644); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(entryFile{[]entry{e}}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteBytes(filepath.Join(temp, EntryFile), 0o644, append(b, '\n')); err != nil {
		return err
	}
	return publish(temp, to)
}
