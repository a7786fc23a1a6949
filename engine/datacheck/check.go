package datacheck

import (
	"context"
	"fmt"
	"path/filepath"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/dataset"
	"outcrop.dev/outcrop/format/tokenizer"
)

// Checker checks data files against a model: the same code for `outcrop data check`, for
// CreateModelCustomizationJob and for the worker.
type Checker struct {
	Workers       int    // goroutines that tokenize; 0: one for each processor
	Turns         Turns  // of the goroutines of all checkers that have the same; nil: they take none
	Customization string // a job's type, which decides what rows there may be; "": any
	// Context is the model's in tokens, if rows are cut off at fewer (maxSequenceLength); 0: they are not.
	Context int
}

// formats are those of the data of a type of customization; nil, for no type, are all.
func formats(customization string) []dataset.Format {
	switch customization {
	case "":
		return nil
	case outcrop.ContinuedPreTraining:
		return []dataset.Format{dataset.Documents}
	}
	return []dataset.Format{dataset.Completions, dataset.BedrockConversation, dataset.Chat}
}

// formatsBeside are those that validation data may have beside training data of one.
func formatsBeside(f dataset.Format) []dataset.Format {
	switch f {
	case "":
		return nil
	case dataset.Documents:
		return formats(outcrop.ContinuedPreTraining)
	}
	return formats(outcrop.FineTuning)
}

// Check reads all of the training data and of each validation file, and reports what is in
// them and what is wrong. modelDir holds the tokenizer and the chat template; rows are measured
// in its tokens against contextLength. Mistakes in the data are in the report (Report.Err); the error is
// CodeValidation for a file that cannot be opened, CodeModelError for a model without a
// usable tokenizer, and otherwise a failing disk or connection.
func (c *Checker) Check(ctx context.Context, modelDir string, contextLength int, train Source, validation []Source) (*Report, error) {
	report, _, err := c.read(ctx, modelDir, contextLength, train, validation, false)
	return report, err
}

// Rows are data as they go into training: rendered, and cut off at the context.
type Rows struct {
	Template   *chattemplate.Template
	Documents  bool // they go into rows of training together
	Training   []chattemplate.Example
	Validation [][]chattemplate.Example // of each file
}

// Load is Check that also returns the rows that are right.
func (c *Checker) Load(ctx context.Context, modelDir string, contextLength int, train Source, validation []Source) (*Report, *Rows, error) {
	return c.read(ctx, modelDir, contextLength, train, validation, true)
}

// read checks all files, and keeps their rows if keep.
func (c *Checker) read(ctx context.Context, modelDir string, contextLength int, train Source, validation []Source, keep bool) (*Report, *Rows, error) {
	template, err := loadTemplate(modelDir)
	if err != nil {
		return nil, nil, err
	}
	if contextLength < 1 {
		return nil, nil, fmt.Errorf("check against a context of %d tokens", contextLength)
	}
	modelContext := max(c.Context, contextLength)
	s := scanner{template: template, context: contextLength, modelContext: modelContext, workers: c.Workers, turns: c.Turns, formats: formats(c.Customization)}
	data := &Rows{Template: template}
	report := &Report{ContextLength: contextLength, shortened: contextLength < modelContext}

	trained := newSeen()
	f, rows, err := s.file(ctx, train, Training, trained, nil, keep)
	if err != nil {
		return nil, nil, err
	}
	report.Files, data.Training, data.Documents = append(report.Files, f), rows, f.Format == dataset.Documents
	if s.formats == nil {
		s.formats = formatsBeside(f.Format)
	}
	for _, v := range validation {
		f, rows, err := s.file(ctx, v, Validation, newSeen(), trained, keep)
		if err != nil {
			return nil, nil, err
		}
		report.Files, data.Validation = append(report.Files, f), append(data.Validation, rows)
	}
	report.warn(template.Warnings())
	return report, data, nil
}

// loadTemplate returns how conversations are written for the model in a directory.
func loadTemplate(modelDir string) (*chattemplate.Template, error) {
	unusable := func(what string, err error) error {
		return &outcrop.Error{Code: outcrop.CodeModelError, Op: "load " + what, Msg: "The base model's " + what + " cannot be used: " + err.Error() + ".", Err: err}
	}
	tok, err := tokenizer.Load(filepath.Join(modelDir, tokenizer.File))
	if err != nil {
		return nil, unusable("tokenizer", err)
	}
	t, err := chattemplate.Load(modelDir, tok)
	if err != nil {
		return nil, unusable("chat template", err)
	}
	return t, nil
}
