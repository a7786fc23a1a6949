// Package dataset reads training data: JSON lines. It is strict, because what a lenient
// reader repairs or skips is found only when a model has been trained on it. It knows no
// tokens and no model.
//
//	{"prompt": "Summarize: …", "completion": "…"}⏎
//	{"prompt": "…", "completion": "…"}⏎
//
// Each line is one object of one of four formats, the same on all lines:
//
//	{"prompt": "…", "completion": "…"}                                        Completions
//	{"schemaVersion": "bedrock-conversation-2024", "system": [{"text": "…"}], BedrockConversation
//	 "messages": [{"role": "user", "content": [{"text": "…"}]}, …]}
//	{"messages": [{"role": "user", "content": "…"}, …]}                       Chat, with OpenAI's
//	                                                                          content parts and weights
//	{"input": "…"}                                                            Documents
//
// Keys may be in any order, and there are no others. Every text has something in it. The
// file is UTF-8 without byte order mark; \n or \r\n ends a line; there are no blank lines. A
// file is read as a stream, a line at a time.
//
//	result, err := dataset.Read(file, dataset.Limits{CharactersMax: 6 * 4096}, func(r dataset.Row) error { … })
//	for _, p := range result.Problems { fmt.Println(p) } // line 17: "completion" is empty: …
package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"outcrop.dev/outcrop/format/chat"
)

const (
	// LineBytesMax is the longest line that is looked at; a longer one is skipped unread. It
	// leaves room for the longest sample of a 16,000-token model (96,000 characters) with
	// ten bytes for each character.
	LineBytesMax = 1 << 20

	// ProblemsMax is how many problems a Result lists; it counts them all. A person mends the
	// cause after the first few.
	ProblemsMax = 100

	// RowsMax is the default of Limits.RowsMax: ten times the largest data set that the
	// product is meant for.
	RowsMax = 1_000_000

	// CharactersPerToken times a model's token limit is the longest sample (AWS, "Prepare
	// your training datasets": characters per sample = token quota x 6).
	CharactersPerToken = 6
)

// Row is one line's content. OpenAI's "weight": 0 makes a message Untrained.
type Row struct {
	Line     int // from 1
	Format   Format
	Messages []chat.Message // system texts, then user and assistant in turns; nil of Documents
	Text     string         // of Documents
}

// characters counts those of all texts.
func (r Row) characters() int {
	n := utf8.RuneCountInString(r.Text)
	for _, m := range r.Messages {
		n += utf8.RuneCountInString(m.Text())
	}
	return n
}

// start returns the beginning of the first text.
func (r Row) start() string {
	if r.Messages == nil {
		return start(r.Text)
	}
	return start(r.Messages[0].Text())
}

// Limits bound what is accepted. A zero field means the package's constant, or no limit
// where there is none.
type Limits struct {
	CharactersMax int // of the texts of one row together, but for Documents; 0: no limit
	LineBytesMax  int
	RowsMax       int
	Formats       []Format // that may be; nil: all
}

// Kind says what sort of mistake a Problem is.
type Kind string

// The kinds of problems.
const (
	NotJSONL Kind = "not_jsonl" // not one JSON object in UTF-8
	Content  Kind = "content"   // keys, types, empty text
	TooLong  Kind = "too_long"  // line or sample over its limit
	TooMany  Kind = "too_many"  // rows over their limit
	NoRows   Kind = "no_rows"   // an empty file
)

// Problem is what is wrong with one line, and what to do.
type Problem struct {
	Line   int    `json:"line"` // from 1; 0 for the file as a whole
	Kind   Kind   `json:"kind"`
	Reason string `json:"reason"`
	Start  string `json:"start,omitempty"` // of the row, where a sample is TooLong
	final  bool   // nothing after it is checked
}

// String returns "line N: reason".
func (p Problem) String() string {
	if p.Line == 0 {
		return p.Reason
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Reason)
}

// Result is what was found.
type Result struct {
	Format       Format // of the rows; "" if none is right
	Lines        int    // read
	Rows         int    // that are right
	Bytes        int64
	Problems     []Problem // the first ProblemsMax
	ProblemCount int       // all of them
}

func (r *Result) add(p Problem) {
	r.ProblemCount++
	if len(r.Problems) < ProblemsMax {
		r.Problems = append(r.Problems, p)
	}
}

// Read reads all lines of src and calls use for each that is right, in order. It returns an
// error only if src or use fails; mistakes in the data are in the Result. Its memory does not
// grow with the file.
func Read(src io.Reader, limits Limits, use func(Row) error) (Result, error) {
	if limits.LineBytesMax == 0 {
		limits.LineBytesMax = LineBytesMax
	}
	if limits.RowsMax == 0 {
		limits.RowsMax = RowsMax
	}
	r := reader{lines: lineReader{r: bufio.NewReaderSize(src, 64<<10), max: limits.LineBytesMax}, limits: limits}
	err := r.all(use)
	r.result.Lines, r.result.Bytes = r.lines.number, r.lines.bytes
	return r.result, err
}

type reader struct {
	lines  lineReader
	limits Limits
	parser parser
	result Result
	first  int // line of the first right row
}

func (r *reader) all(use func(Row) error) error {
	for {
		line, tooLong, err := r.lines.next()
		if err == io.EOF {
			if r.lines.number == 0 {
				r.result.add(Problem{Kind: NoRows, Reason: "the file is empty: it needs one object such as " + Completions.shape() + " a line"})
			}
			return nil
		}
		if err != nil {
			return err
		}
		row, problem := r.row(line, tooLong)
		if problem == nil {
			problem = r.fits(row)
		}
		if problem != nil {
			if r.result.add(*problem); problem.final {
				return nil
			}
			continue
		}
		r.result.Rows++
		if err := use(row); err != nil {
			return err
		}
	}
}

func (r *reader) row(line []byte, tooLong bool) (Row, *Problem) {
	n := r.lines.number
	if tooLong {
		return Row{}, &Problem{Line: n, Kind: TooLong, Start: start(strings.ToValidUTF8(string(line[:min(len(line), startBytes)]), "")), Reason: fmt.Sprintf(
			"is longer than %d bytes: shorten it, and end each object with a line break", r.limits.LineBytesMax)}
	}
	row, bad := r.parser.parse(line, n == 1)
	if bad != nil {
		bad.Line = n
		return Row{}, bad
	}
	row.Line = n
	if most := r.limits.CharactersMax; most > 0 && row.Format != Documents {
		if c := row.characters(); c > most {
			return Row{}, &Problem{Line: n, Kind: TooLong, Start: row.start(), Reason: fmt.Sprintf(
				"the row's texts have %d characters, the limit of this model is %d: shorten or split the row", c, most)}
		}
	}
	return row, nil
}

// fits checks a row, which is right by itself, against the rows before it and the limits.
func (r *reader) fits(row Row) *Problem {
	problem := func(kind Kind, final bool, format string, args ...any) *Problem {
		return &Problem{Line: row.Line, Kind: kind, final: final, Reason: fmt.Sprintf(format, args...)}
	}
	allowed := r.limits.Formats
	switch {
	case allowed != nil && !slices.Contains(allowed, row.Format) && row.Format == Documents:
		return problem(Content, true, `"input" is a row of continued pre-training: create the job with the customization type CONTINUED_PRE_TRAINING, `+
			"or write %s; nothing after this line was checked", Completions.shape())
	case allowed != nil && !slices.Contains(allowed, row.Format):
		return problem(Content, true, "this is a row of fine-tuning, and the job is continued pre-training: create the job with the customization type FINE_TUNING, "+
			"or write %s; nothing after this line was checked", Documents.shape())
	case r.result.Format == "":
		r.result.Format, r.first = row.Format, row.Line
	case r.result.Format != row.Format:
		return problem(Content, false, "this is a row of the format %q, and line %d one of %q: a file holds one format", row.Format, r.first, r.result.Format)
	}
	if r.result.Rows == r.limits.RowsMax {
		return problem(TooMany, true, "there are more than %d rows: split the data or take a sample; nothing after this line was checked", r.limits.RowsMax)
	}
	return nil
}

// startBytes are enough for what start returns.
const startBytes = 256

// start returns the beginning of a text, enough to find it by.
func start(text string) string {
	const most = 40
	n := 0
	for i := range text {
		if n++; n > most {
			return text[:i]
		}
	}
	return text
}

// lineReader cuts a stream into lines without ever holding more than max bytes of one.
type lineReader struct {
	r      *bufio.Reader
	max    int
	buf    []byte
	number int // of the line last returned
	bytes  int64
}

// next returns the next line without its end, valid until the following call; io.EOF after
// the last. Of a line longer than max the beginning comes back, with tooLong.
func (l *lineReader) next() (line []byte, tooLong bool, err error) {
	l.buf = l.buf[:0]
	for started := false; ; started = true {
		part, err := l.r.ReadSlice('\n')
		l.bytes += int64(len(part))
		if err == io.EOF && len(part) == 0 && !started {
			return nil, false, io.EOF
		}
		if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, false, err
		}
		if tooLong = tooLong || len(l.buf)+len(part) > l.max+len("\r\n"); !tooLong {
			l.buf = append(l.buf, part...)
		} else if !started {
			l.buf = append(l.buf, part[:l.max]...)
		}
		if err == nil || err == io.EOF {
			break
		}
	}
	l.number++
	line = bytes.TrimSuffix(l.buf, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	return line, tooLong || len(line) > l.max, nil
}
