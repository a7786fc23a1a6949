package datacheck

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/dataset"
)

// quotaTokens is the documented token limit of Titan Text Express, Lite and Premier for input
// and output together; the documented character limit is six times that. A model with a
// longer context has a longer limit.
const quotaTokens = 4096

// file reads one file. own collects its rows; train, if not nil, is what validation rows must
// not repeat.
func (s *scanner) file(ctx context.Context, src Source, role string, own, train *seen, keep bool) (File, []chattemplate.Example, error) {
	r, err := src.open(ctx)
	if err != nil {
		return File{}, nil, err
	}
	defer r.Close()
	f := fileCheck{File: File{Name: src.Name, Role: role}, context: s.context, shortened: s.context < s.modelContext, own: own, train: train, keep: keep}
	limits := dataset.Limits{CharactersMax: dataset.CharactersPerToken * max(quotaTokens, s.modelContext), Formats: s.formats}
	hash := sha256.New()
	result, err := s.scan(ctx, io.TeeReader(r, hash), limits, f.add)
	if err != nil {
		return File{}, nil, fmt.Errorf("read %s: %w", src.Name, err)
	}
	if f.finish(result); f.ProblemCount == 0 { // else the file may not have been read to its end
		f.SHA256 = hex.EncodeToString(hash.Sum(nil))
	}
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
	packer     Packer
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

func (f *fileCheck) finish(r dataset.Result) {
	f.Format, f.Rows, f.Lines, f.Bytes = r.Format, r.Rows, r.Lines, r.Bytes
	f.Packs = f.packer.Rows
	f.Problems = mergeProblems(r.Problems, f.problems)
	f.ProblemCount = r.ProblemCount + f.bad
	f.Length = percentiles(f.lengths)
}
