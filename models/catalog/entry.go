package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/recipe"
)

// EntryFile is the name of the file that makes a model directory part of the catalog.
const EntryFile = "outcrop.json"

// entryBytesMax bounds an EntryFile: a thousand characters for each of the ids that one
// directory may reasonably serve.
const entryBytesMax = 64 << 10

// nameMax is AWS's limit on modelName and providerName, in characters.
const nameMax = 20

// idPattern is the form of a foundation model's id (Bedrock's service model, modelId): provider,
// dot, name, perhaps a version and a context length.
var idPattern = regexp.MustCompile(`^[a-z0-9-]{1,63}\.[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,2}(:[a-z0-9-]{1,63}){0,2}$`)

// idForm says idPattern to a person.
const idForm = "PROVIDER.NAME in lower case, digits and hyphens, such as acme.notes-v1"

// usualDialect is the format of InvokeModel's bodies that models have of themselves. An entry may
// name any other that there is.
const usualDialect = "titan"

// entryFile is the content of an EntryFile: the ids under which the directory is served.
type entryFile struct {
	Models []entry `json:"models"`
}

type entry struct {
	ID                string   `json:"id"`
	Aliases           []string `json:"aliases,omitempty"`
	Name              string   `json:"name"`
	Provider          string   `json:"provider"`
	Description       string   `json:"description"`
	Dialect           string   `json:"dialect"`
	Customizations    []string `json:"customizations"`
	LearningRateScale float64  `json:"learningRateScale"`
	Defaults          defaults `json:"defaults"`
}

// defaults are the hyperparameters that a job gets when it names none, under Bedrock's names.
type defaults struct {
	Epochs       int     `json:"epochCount"`
	BatchSize    int     `json:"batchSize"`
	LearningRate float64 `json:"learningRate"` // before learningRateScale, as a caller would write it
	WarmupSteps  int     `json:"learningRateWarmupSteps"`
}

func readEntryFile(dir string) (f entryFile, err error) {
	b, err := os.ReadFile(filepath.Join(dir, EntryFile))
	if err != nil {
		return f, err
	}
	if len(b) > entryBytesMax {
		return f, fmt.Errorf("%s is longer than %d bytes", EntryFile, entryBytesMax)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("%s: %w", EntryFile, err)
	}
	return f, nil
}

// readEntries reads what dir serves, in any dialect if none are given. The error says what makes
// the directory unusable.
func readEntries(dir string, dialects []string) ([]outcrop.FoundationModel, error) {
	f, err := readEntryFile(dir)
	if err != nil {
		return nil, err
	}
	config, err := model.Check(dir)
	if err != nil {
		return nil, err
	}
	var models []outcrop.FoundationModel
	for _, e := range f.Models {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("%s: model %q: %w", EntryFile, e.ID, err)
		}
		if dialects != nil && !slices.Contains(dialects, e.Dialect) {
			return nil, fmt.Errorf("%s: model %q: there is no dialect %q: it must be one of %q", EntryFile, e.ID, e.Dialect, dialects)
		}
		models = append(models, e.foundationModel(dir, config.Context))
	}
	return models, nil
}

func (e *entry) check() error {
	d := e.Defaults
	switch {
	case !idPattern.MatchString(e.ID):
		return fmt.Errorf("the id must be %s", idForm)
	case slices.ContainsFunc(e.Aliases, func(a string) bool { return !idPattern.MatchString(a) }):
		return fmt.Errorf("aliases %q: each must be %s", e.Aliases, idForm)
	case e.Name == "" || len([]rune(e.Name)) > nameMax || e.Provider == "" || len([]rune(e.Provider)) > nameMax:
		return fmt.Errorf("name and provider must have 1 to %d characters", nameMax)
	case e.Dialect == "":
		return errors.New("dialect is missing")
	case !(e.LearningRateScale > 0):
		return errors.New("learningRateScale must be above 0")
	case !recipe.Allowed(outcrop.TrainDefaults(d)):
		return fmt.Errorf("defaults %+v are out of range", d)
	}
	return nil
}

func (e *entry) foundationModel(dir string, contextLength int) outcrop.FoundationModel {
	return outcrop.FoundationModel{
		ID: e.ID, FilesID: outcrop.ModelID(e.ID), Aliases: e.Aliases, Name: e.Name, Provider: e.Provider, Description: e.Description,
		Dialect: e.Dialect, Customizations: e.Customizations, Dir: dir, ContextLength: contextLength,
		LearningRateScale: e.LearningRateScale,
		Defaults: outcrop.TrainDefaults{
			Epochs: e.Defaults.Epochs, BatchSize: e.Defaults.BatchSize, WarmupSteps: e.Defaults.WarmupSteps,
			LearningRate: e.Defaults.LearningRate * e.LearningRateScale,
		},
	}
}
