package pretrain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"outcrop.dev/outcrop/engine/model"
)

// Config is the JSON file that describes a run. Paths are relative to the working directory.
type Config struct {
	// Name is the model's, for its card.
	Name string `json:"name"`
	// Model is the config.json of the model to make.
	Model json.RawMessage `json:"model"`
	// Tokenizer is a directory; its tokenizer files are copied beside the weights.
	Tokenizer string `json:"tokenizer"`

	Corpus             []string `json:"corpus"`   // JSON lines of text; .zst is decompressed
	Instruct           []string `json:"instruct"` // JSON lines of prompts and completions
	CorpusValidation   string   `json:"corpus_validation"`
	InstructValidation string   `json:"instruct_validation"`
	// MinimalPairs is JSON lines of good and bad sentences, judged at the end; may be empty.
	MinimalPairs string `json:"minimal_pairs"`
	// ValidationTokens is how many tokens of each validation file are used during the run; at
	// its end all are.
	ValidationTokens int `json:"validation_tokens"`
	// ExcludeGroups leaves out lines of these groups.
	ExcludeGroups []string `json:"exclude_groups"`

	Steps        int     `json:"steps"`
	BatchTokens  int     `json:"batch_tokens"` // of a step
	MicroTokens  int     `json:"micro_tokens"` // of a pass through the model
	LearningRate float64 `json:"learning_rate"`
	WeightDecay  float64 `json:"weight_decay"`
	DecayShare   float64 `json:"decay_share"` // of the steps, at the end
	Stages       []Stage `json:"stages"`
	Seed         uint64  `json:"seed"`

	ValidateEvery     int `json:"validate_every"`     // steps
	CheckpointSeconds int `json:"checkpoint_seconds"` // between checkpoints
}

// Stage is a part of the run with one mixture.
type Stage struct {
	Until    float64 `json:"until"`    // share of the steps at which it ends; 1 for the last
	Instruct float64 `json:"instruct"` // share of the tokens that are instructions
	Sequence int     `json:"sequence"` // the longest document; longer ones are cut
}

// configBytesMax bounds a config file: it is written by hand.
const configBytesMax = 1 << 20

// ReadConfig reads a config file. The error names the field that is wrong.
func ReadConfig(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	if len(b) > configBytesMax {
		return Config{}, fmt.Errorf("%s: longer than %d bytes", path, configBytesMax)
	}
	var c Config
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c Config) check() error {
	m, err := model.ParseConfig(c.Model)
	switch {
	case err != nil:
		return fmt.Errorf("model: %w", err)
	case m.Vocab > 1<<16:
		return fmt.Errorf("vocab_size is %d: tokens are kept in 16 bits", m.Vocab)
	case c.Steps < 1 || c.BatchTokens < 1 || c.MicroTokens < 1 || c.ValidationTokens < 1:
		return fmt.Errorf("steps, batch_tokens, micro_tokens and validation_tokens must be at least 1")
	case !(c.DecayShare >= 0 && c.DecayShare <= 1):
		return fmt.Errorf("decay_share is %g: it must be from 0 to 1", c.DecayShare)
	case c.Name == "" || len(c.Corpus) == 0 || c.Tokenizer == "":
		return fmt.Errorf("name, corpus and tokenizer must be given")
	case c.ValidateEvery < 1 || c.CheckpointSeconds < 1:
		return fmt.Errorf("validate_every and checkpoint_seconds must be at least 1")
	}
	return checkStages(c.Stages, m.Context)
}

func checkStages(stages []Stage, context int) error {
	from := 0.0
	for i, s := range stages {
		switch {
		case !(s.Until > from && s.Until <= 1):
			return fmt.Errorf("stage %d: until is %g: it must grow from stage to stage, up to 1", i+1, s.Until)
		case !(s.Instruct >= 0 && s.Instruct <= 1):
			return fmt.Errorf("stage %d: instruct is %g: it must be from 0 to 1", i+1, s.Instruct)
		case s.Sequence < 2 || s.Sequence > context:
			return fmt.Errorf("stage %d: sequence is %d: it must be from 2 to the model's %d", i+1, s.Sequence, context)
		}
		from = s.Until
	}
	if from != 1 {
		return fmt.Errorf("the last stage must end at 1")
	}
	return nil
}
