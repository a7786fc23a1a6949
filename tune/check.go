package tune

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/dataset"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/train"
)

// TokenizerFile is the name of the tokenizer in a model directory.
const TokenizerFile = "tokenizer.json"

// quotaTokens is the documented token limit of Titan Text Express, Lite and Premier for input
// and output together; the documented character limit is six times that. A model with a
// longer context has a longer limit.
const quotaTokens = 4096

// RowsAdvised is the number of examples that guides to fine-tuning advise at least; with
// fewer a report warns.
const RowsAdvised = 1000

// Source is a data file: its name for messages, a path or an S3 URI, and how to read it.
type Source struct {
	Name string
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Checker checks data files against a model: the same code for `outcrop data check`, for
// CreateModelCustomizationJob and for the worker.
type Checker struct {
	Workers       int    // goroutines that tokenize; 0: one for each processor
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
	report, _, err := c.load(ctx, modelDir, contextLength, train, validation, false)
	return report, err
}

// loaded is the data as it goes into training.
type loaded struct {
	template   *chattemplate.Template
	documents  bool // which go into rows together
	train      []chattemplate.Example
	validation [][]chattemplate.Example
}

// load is Check that also returns the rendered rows, if keep.
func (c *Checker) load(ctx context.Context, modelDir string, contextLength int, train Source, validation []Source, keep bool) (*Report, *loaded, error) {
	template, err := loadTemplate(modelDir)
	if err != nil {
		return nil, nil, err
	}
	if contextLength < 1 {
		return nil, nil, fmt.Errorf("check against a context of %d tokens", contextLength)
	}
	whole := max(c.Context, contextLength)
	s := scanner{template: template, context: contextLength, whole: whole, workers: c.Workers, formats: formats(c.Customization)}
	data := &loaded{template: template}
	report := &Report{ContextLength: contextLength, shortened: contextLength < whole}

	trained := newSeen()
	f, rows, err := s.file(ctx, train, Training, trained, nil, keep)
	if err != nil {
		return nil, nil, err
	}
	report.Files, data.train, data.documents = append(report.Files, f), rows, f.Format == dataset.Documents
	if s.formats == nil {
		s.formats = formatsBeside(f.Format)
	}
	for _, v := range validation {
		f, rows, err := s.file(ctx, v, Validation, newSeen(), trained, keep)
		if err != nil {
			return nil, nil, err
		}
		report.Files, data.validation = append(report.Files, f), append(data.validation, rows)
	}
	report.warn(template.Warnings())
	return report, data, nil
}

// loadTemplate returns how conversations are written for the model in a directory.
func loadTemplate(modelDir string) (*chattemplate.Template, error) {
	unusable := func(what string, err error) error {
		return &outcrop.Error{Code: outcrop.CodeModelError, Op: "load " + what, Msg: "The base model's " + what + " cannot be used: " + err.Error() + ".", Err: err}
	}
	tok, err := tokenizer.Load(filepath.Join(modelDir, TokenizerFile))
	if err != nil {
		return nil, unusable("tokenizer", err)
	}
	t, err := chattemplate.Load(modelDir, tok)
	if err != nil {
		return nil, unusable("chat template", err)
	}
	return t, nil
}

// open opens a source. What AWS documents for an object that cannot be read keeps its words,
// so that AWS's runbooks apply ("fine-tuning-troubleshooting").
func (s Source) open(ctx context.Context) (io.ReadCloser, error) {
	r, err := s.Open(ctx)
	if err == nil {
		return r, nil
	}
	bucket, key, notS3 := outcrop.ParseS3URI(s.Name)
	code := outcrop.CodeOf(err)
	var file *fs.PathError
	if notS3 != nil && errors.As(err, &file) {
		return nil, err // it says which file
	}
	if notS3 != nil || code != outcrop.CodeNotFound && code != outcrop.CodeAccessDenied {
		return nil, fmt.Errorf("open %s: %w", s.Name, err)
	}
	e := outcrop.Errorf(outcrop.CodeValidation, "Could not validate GetObject permissions to access Amazon S3 bucket: %s at key %s. "+
		"Upload the file or correct the S3 URI, then create the job again.", bucket, key)
	e.Err = &missingInput{err}
	return nil, e
}

// missingInput marks the cause of an error as an input that is not there.
type missingInput struct{ error }

func (m *missingInput) ExitCode() int { return outcrop.ExitNoInput }
func (m *missingInput) Unwrap() error { return m.error }

// print is what a row is recognised by: a hash of its text in lower case, white space
// collapsed.
type print [16]byte

func printOf(texts ...string) (p print) {
	h := sha256.New()
	for _, text := range texts {
		for word := range strings.FieldsSeq(strings.ToLower(text)) {
			io.WriteString(h, word)
			h.Write([]byte{' '})
		}
		h.Write([]byte{0})
	}
	copy(p[:], h.Sum(nil))
	return p
}

// seen is what a file holds: the first line of each row, and of each prompt.
type seen struct{ rows, prompts map[print]int }

func newSeen() *seen { return &seen{map[print]int{}, map[print]int{}} }

// scanner reads files for one check.
type scanner struct {
	template *chattemplate.Template
	context  int // tokens of a row
	whole    int // tokens of the model
	workers  int
	formats  []dataset.Format
}

// scanned is one row, measured.
type scanned struct {
	line        int
	format      dataset.Format
	example     chattemplate.Example
	bad         error // why it cannot be rendered
	row, prompt print
}

// file reads one file. own collects its rows; train, if not nil, is what validation rows must
// not repeat.
func (s *scanner) file(ctx context.Context, src Source, role string, own, train *seen, keep bool) (File, []chattemplate.Example, error) {
	r, err := src.open(ctx)
	if err != nil {
		return File{}, nil, err
	}
	defer r.Close()
	f := fileCheck{File: File{Name: src.Name, Role: role}, context: s.context, shortened: s.context < s.whole, own: own, train: train, keep: keep}
	limits := dataset.Limits{CharactersMax: dataset.CharactersPerToken * max(quotaTokens, s.whole), Formats: s.formats}
	result, err := s.scan(ctx, r, limits, f.add)
	if err != nil {
		return File{}, nil, fmt.Errorf("read %s: %w", src.Name, err)
	}
	f.finish(result)
	return f.File, f.examples, nil
}

// fileCheck gathers a File row by row.
type fileCheck struct {
	File
	context    int
	shortened  bool // the context is less than the model's
	own, train *seen
	keep       bool
	lengths    []int
	packer     train.Packer
	problems   []dataset.Problem // that only the model's tokens show: the first dataset.ProblemsMax
	bad        int               // all of them
	examples   []chattemplate.Example
}

func (f *fileCheck) problem(line int, kind dataset.Kind, format string, args ...any) {
	if f.bad++; len(f.problems) < dataset.ProblemsMax {
		f.problems = append(f.problems, dataset.Problem{Line: line, Kind: kind, Reason: fmt.Sprintf(format, args...)})
	}
}

func (f *fileCheck) add(r scanned) {
	f.Format = r.format
	if r.bad != nil {
		f.problem(r.line, dataset.Content, "%v", r.bad)
		return
	}
	e := r.example
	if len(e.Tokens) < 2 { // of nothing but characters that the tokenizer drops
		f.NoLabel++
		f.problem(r.line, NoLabel, "the row has no tokens of this model, so nothing is left to learn: remove it")
		return
	}
	f.lengths = append(f.lengths, len(e.Tokens))
	if e.Skipped > 0 {
		f.Untrained.add(r.line)
	}
	f.compare(r)
	if f.Format == dataset.Documents {
		f.packer.Add(len(e.Tokens)-1, f.context) // the last token is predicted, not read
	} else {
		f.fit(r.line, e)
		e = e.Truncate(f.context)
	}
	f.PromptTokens += int64(e.PromptTokens())
	f.CompletionTokens += int64(e.CompletionTokens())
	if f.keep {
		f.examples = append(f.examples, e)
	}
}

// fit looks at what of a row the model's context cuts off.
func (f *fileCheck) fit(line int, e chattemplate.Example) {
	given := slices.Index(e.Trained, true)
	f.promptMax = max(f.promptMax, given)
	switch {
	case given >= f.context && f.shortened:
		f.NoLabel++
		f.problem(line, NoLabel, "the prompt has %d tokens, and rows are cut off at %d (maxSequenceLength), so nothing of the completion is left to learn: raise maxSequenceLength, shorten the prompt or remove the row", given, f.context)
	case given >= f.context:
		f.NoLabel++
		f.problem(line, NoLabel, "the prompt has %d tokens of the model's %d, so nothing of the completion is left to learn: shorten the prompt or remove the row", given, f.context)
	case len(e.Tokens) > f.context:
		f.Truncated.add(line)
	}
}

// compare looks for the row among those before it, and for its prompt in the training data.
func (f *fileCheck) compare(r scanned) {
	if _, ok := f.own.rows[r.row]; ok {
		f.Duplicates.add(r.line)
	} else {
		f.own.rows[r.row] = r.line
	}
	if _, ok := f.own.prompts[r.prompt]; !ok {
		f.own.prompts[r.prompt] = r.line
	}
	if f.train != nil {
		if _, ok := f.train.prompts[r.prompt]; ok {
			f.Leaks.add(r.line)
		}
	}
}

func (f *fileCheck) finish(r dataset.Result) {
	f.Format, f.Rows, f.Lines, f.Bytes = r.Format, r.Rows, r.Lines, r.Bytes
	f.Packs = f.packer.Rows
	f.Problems = mergeProblems(r.Problems, f.problems)
	f.ProblemCount = r.ProblemCount + f.bad
	f.Length = percentiles(f.lengths)
}
