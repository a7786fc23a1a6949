package datacheck

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/dataset"
)

// The roles of a File.
const (
	Training   = "training"
	Validation = "validation"
)

// NoLabel is the kind of a row of whose completion nothing fits into the model's context.
const NoLabel dataset.Kind = "no_label"

// RowsAdvised is the number of examples that guides to fine-tuning advise at least; with
// fewer a report warns.
const RowsAdvised = 1000

// linesMax is how many line numbers a Lines lists; it counts them all.
const linesMax = 20

// errorsShown is how many problems an error names; the rest is counted. Bedrock's
// failureMessage has 2,048 characters.
const errorsShown = 5

// Report is what a check found.
type Report struct {
	ContextLength int      `json:"contextLength"` // tokens of the model, or of a row if that is less (maxSequenceLength)
	Files         []File   `json:"files"`         // the training file, then the validation files
	Warnings      []string `json:"warnings"`      // what does not prevent training
	shortened     bool     // ContextLength is less than the model's
}

// File is what was found in one file. Token counts are with the template's own tokens.
type File struct {
	Name             string            `json:"name"`
	Role             string            `json:"role"`   // Training or Validation
	Format           dataset.Format    `json:"format"` // "" if no row is right
	Bytes            int64             `json:"bytes"`
	SHA256           string            `json:"sha256,omitempty"` // of a file without a mistake
	Lines            int               `json:"lines"`
	Rows             int               `json:"rows"`             // lines that are right
	Packs            int               `json:"packs,omitempty"`  // of documents: the rows that they are packed into for training
	PromptTokens     int64             `json:"promptTokens"`     // that are given, of what is not cut off
	CompletionTokens int64             `json:"completionTokens"` // that are trained
	Length           Percentiles       `json:"length"`           // tokens of a row
	Duplicates       Lines             `json:"duplicates"`
	Leaks            Lines             `json:"leaks"`     // validation rows whose prompt is in the training file
	Truncated        Lines             `json:"truncated"` // rows whose end is cut off at the model's context
	NoLabel          int               `json:"noLabel"`   // rows of whose completion nothing is left
	Untrained        Lines             `json:"untrained"` // rows with answers that are not trained (chattemplate.Example.Skipped)
	ProblemCount     int               `json:"problemCount"`
	Problems         []dataset.Problem `json:"problems"` // the first, by line
	promptMax        int               // tokens
}

// Tokens is how many there are in the right rows, given and trained.
func (f *File) Tokens() int64 { return f.PromptTokens + f.CompletionTokens }

// TrainedRows is how many rows training makes of the file.
func (f *File) TrainedRows() int {
	if f.Format == dataset.Documents {
		return f.Packs
	}
	return f.Rows
}

// Percentiles of a length, in tokens; each is the length of a row.
type Percentiles struct {
	P50 int `json:"p50"`
	P90 int `json:"p90"`
	P95 int `json:"p95"`
	P99 int `json:"p99"`
	Max int `json:"max"`
}

// Lines counts rows and lists the first of them.
type Lines struct {
	Count int   `json:"count"`
	Lines []int `json:"lines,omitempty"`
}

func (l *Lines) add(line int) {
	l.Count++
	if len(l.Lines) < linesMax {
		l.Lines = append(l.Lines, line)
	}
}

// String returns "3 (lines 1, 7, 9)".
func (l Lines) String() string {
	if l.Count == 0 {
		return "0"
	}
	list := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(l.Lines)), ", "), "[]")
	if l.Count > len(l.Lines) {
		list += ", ..."
	}
	return fmt.Sprintf("%d (line %s)", l.Count, list)
}

// rows returns "1 row (line 7)" or "3 rows (line 1, 7, 9)".
func (l Lines) rows() string {
	if l.Count == 1 {
		return strings.Replace(l.String(), "1 ", "1 row ", 1)
	}
	return strings.Replace(l.String(), " (", " rows (", 1)
}

// percentiles takes the nearest rank. It sorts lengths.
func percentiles(lengths []int) Percentiles {
	if len(lengths) == 0 {
		return Percentiles{}
	}
	slices.Sort(lengths)
	at := func(percent int) int { return lengths[(len(lengths)*percent+99)/100-1] }
	return Percentiles{at(50), at(90), at(95), at(99), at(100)}
}

// mergeProblems returns the first dataset.ProblemsMax of both, by line.
func mergeProblems(a, b []dataset.Problem) []dataset.Problem {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(p, q dataset.Problem) int { return cmp.Compare(p.Line, q.Line) })
	return all[:min(len(all), dataset.ProblemsMax)]
}

// warn fills in Warnings, beginning with those of the template.
func (r *Report) warn(template []string) {
	r.Warnings = append([]string{}, template...)
	add := func(f File, format string, args ...any) {
		r.Warnings = append(r.Warnings, f.Name+": "+fmt.Sprintf(format, args...))
	}
	for _, f := range r.Files {
		if f.Role == Training && f.Rows < RowsAdvised {
			add(f, "%s rows are few: aim for at least %s examples, diverse and in one format.", humanize.Comma(int64(f.Rows)), humanize.Comma(int64(RowsAdvised)))
		}
		if f.Untrained.Count > 0 {
			add(f, "answers before the last are not trained, because the model's chat template writes them otherwise than it asks for them: %s. "+
				"To train them too, add a row that ends with each.", f.Untrained.rows())
		}
		if f.Truncated.Count > 0 {
			add(f, "cut off at %s: %s.", r.context(), f.Truncated.rows())
		}
		if f.Duplicates.Count > 0 {
			add(f, "repeats of an earlier row: %s.", f.Duplicates.rows())
		}
		if f.Leaks.Count > 0 {
			add(f, "prompts that are also in the training data, which makes the validation loss look better than it is: %s.", f.Leaks.rows())
		}
	}
}

// context says in words what rows are cut off at.
func (r *Report) context() string {
	if r.shortened {
		return "the " + humanize.Comma(int64(r.ContextLength)) + " tokens of maxSequenceLength"
	}
	return "the model's " + humanize.Comma(int64(r.ContextLength)) + " tokens"
}

// ProblemCount is the number of mistakes in all files.
func (r *Report) ProblemCount() (n int) {
	for _, f := range r.Files {
		n += f.ProblemCount
	}
	return n
}

// Err returns nil if the data can be trained on, else one CodeValidation with ReasonBadData that names the first
// mistakes with file and line, and how many there are in all.
func (r *Report) Err() error {
	total := r.ProblemCount()
	if total == 0 {
		return nil
	}
	var lead string
	var shown []string
	for _, f := range r.Files {
		for _, p := range f.Problems {
			if lead == "" {
				lead = documented(f, p, r.ContextLength)
			}
			if len(shown) < errorsShown {
				shown = append(shown, place(f, p)+p.Reason)
			}
		}
	}
	text := lead + strings.Join(shown, "; ") + "."
	if total > len(shown) {
		text += fmt.Sprintf(" %d errors in all; `outcrop data check FILE --base MODEL` lists them.", total)
	}
	return &outcrop.Error{Code: outcrop.CodeValidation, Reason: outcrop.ReasonBadData, Msg: text}
}

func place(f File, p dataset.Problem) string {
	if p.Line == 0 {
		return baseName(f.Name) + ": "
	}
	return fmt.Sprintf("%s line %d: ", baseName(f.Name), p.Line)
}

// documented is the sentence that AWS documents for a mistake of this kind, if there is one
// ("fine-tuning-troubleshooting"), so that AWS's runbooks apply.
func documented(f File, p dataset.Problem, context int) string {
	switch p.Kind {
	case dataset.TooLong:
		return fmt.Sprintf("Input size exceeded in file %s for record starting with %q: ", baseName(f.Name), p.Start)
	case NoLabel:
		return fmt.Sprintf("Maximum input token count %d exceeds limit of %d: ", f.promptMax, context)
	case dataset.TooMany:
		return ""
	}
	return fmt.Sprintf("Unable to parse Amazon S3 file: %s. Data files must conform to JSONL format. ", baseName(f.Name))
}

func baseName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// tokenText says how many tokens there are.
func (f *File) tokenText() string {
	given, trained := humanize.Comma(f.PromptTokens), humanize.Comma(f.CompletionTokens)
	switch f.Format {
	case dataset.Documents:
		return fmt.Sprintf("%s trained, rows of training: %s", trained, humanize.Comma(int64(f.Packs)))
	case dataset.BedrockConversation, dataset.Chat:
		return fmt.Sprintf("%s given, %s trained", given, trained)
	}
	return fmt.Sprintf("%s prompt, %s completion", given, trained)
}

// JSON returns the report as an indented JSON document.
func (r *Report) JSON() []byte {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic("datacheck: a report that cannot be marshalled: " + err.Error()) // our own bug
	}
	return append(b, '\n')
}

// WriteText writes the report for a person.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Files {
		fmt.Fprintf(&b, "%s (%s)\n", f.Name, f.Role)
		if f.Format != "" {
			fmt.Fprintf(&b, "  format      %s\n", f.Format)
		}
		fmt.Fprintf(&b, "  rows        %s of %s lines, %s bytes\n", humanize.Comma(int64(f.Rows)), humanize.Comma(int64(f.Lines)), humanize.Comma(f.Bytes))
		fmt.Fprintf(&b, "  tokens      %s\n", f.tokenText())
		fmt.Fprintf(&b, "  row length  p50 %d, p90 %d, p95 %d, p99 %d, max %d of %s\n",
			f.Length.P50, f.Length.P90, f.Length.P95, f.Length.P99, f.Length.Max, r.context())
		fmt.Fprintf(&b, "  duplicates  %s\n", f.Duplicates)
		if f.Role == Validation {
			fmt.Fprintf(&b, "  leaks       %s\n", f.Leaks)
		}
		fmt.Fprintf(&b, "  truncated   %s\n", f.Truncated)
		fmt.Fprintf(&b, "  errors      %d\n", f.ProblemCount)
		for _, p := range f.Problems {
			fmt.Fprintf(&b, "    %s\n", p)
		}
		if more := f.ProblemCount - len(f.Problems); more > 0 {
			fmt.Fprintf(&b, "    and %d more\n", more)
		}
	}
	for _, text := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
