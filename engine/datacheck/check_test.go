package datacheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/dataset"
	"outcrop.dev/outcrop/work/attempt"
)

const (
	pebbleDir  = "../../models/catalog/pebble"
	sharedData = "../../../shared/data/ft/"
)

func text(name, data string) Source {
	return Source{Name: name, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(data)), nil
	}}
}

func rows(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		line, _ := json.Marshal(map[string]string{"prompt": pairs[i], "completion": pairs[i+1]})
		b.Write(append(line, '\n'))
	}
	return b.String()
}

func check(t *testing.T, contextLength int, train string, validation ...string) *Report {
	t.Helper()
	var sources []Source
	for i, v := range validation {
		sources = append(sources, text(fmt.Sprintf("s3://b/k/val%d.jsonl", i+1), v))
	}
	c := Checker{Workers: 3}
	r, err := c.Check(t.Context(), pebbleDir, contextLength, text("s3://b/k/train.jsonl", train), sources)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheckCountsWhatIsThere(t *testing.T) {
	t.Parallel()
	train := rows("Say a", "a", "Say b", "b b b", "say  A ", "A", "Say a", "other")
	r := check(t, 64, train, rows("say B", "x", "new", "y"))
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	f, v := r.Files[0], r.Files[1]
	if f.Role != Training || f.Rows != 4 || f.Lines != 4 || f.Bytes != int64(len(train)) {
		t.Errorf("training file: %+v", f)
	}
	if f.Duplicates.Count != 1 || f.Duplicates.Lines[0] != 3 {
		t.Errorf("duplicates %v, want line 3", f.Duplicates)
	}
	if v.Leaks.Count != 1 || v.Leaks.Lines[0] != 1 || f.Leaks.Count != 0 {
		t.Errorf("leaks %v, want line 1", v.Leaks)
	}
	// <|bos|>, "S", "ay", " a", <|sep|> and "a", <|eos|>
	if f.Length.P50 != 7 || f.Length.Max != 9 || f.CompletionTokens != 2+4+2+2 {
		t.Errorf("lengths %+v, %d completion tokens", f.Length, f.CompletionTokens)
	}
	for _, want := range []string{"4 rows are few: aim for at least 1,000 examples", "repeats of an earlier row: 1 row (line 3)", "prompts that are also in the training data"} {
		if !strings.Contains(strings.Join(r.Warnings, "\n"), want) {
			t.Errorf("no warning %q in %q", want, r.Warnings)
		}
	}
}

// TestTruncation goes to the limit of the context and one past it.
func TestTruncation(t *testing.T) {
	t.Parallel()
	train := rows("a b c", "d e f") // 1+3+1 and 3+1 tokens
	for _, c := range []struct {
		context, truncated, noLabel int
	}{{9, 0, 0}, {8, 1, 0}, {6, 1, 0}, {5, 0, 1}, {1, 0, 1}} {
		f := check(t, c.context, train).Files[0]
		if f.Truncated.Count != c.truncated || f.NoLabel != c.noLabel || f.ProblemCount != c.noLabel {
			t.Errorf("context %d: truncated %v, no label %d, problems %v", c.context, f.Truncated, f.NoLabel, f.Problems)
		}
	}
	// What is cut off is not trained: 3 tokens of 4 are, behind the prompt's 5.
	if f := check(t, 8, train).Files[0]; f.PromptTokens != 5 || f.CompletionTokens != 3 {
		t.Errorf("%d tokens are given and %d trained", f.PromptTokens, f.CompletionTokens)
	}
	err := check(t, 5, train).Err()
	if outcrop.CodeOf(err) != outcrop.CodeValidation || outcrop.ReasonOf(err) != outcrop.ReasonBadData || !strings.Contains(err.Error(), "Maximum input token count 5 exceeds limit of 5: train.jsonl line 1: the prompt has 5 tokens") {
		t.Errorf("error %v", err)
	}
}

// TestShortenedRows: a job's maxSequenceLength cuts rows off, and the limit on their characters
// stays that of the model.
func TestShortenedRows(t *testing.T) {
	t.Parallel()
	check := func(prompt string, length int) *Report {
		c := Checker{Context: 5000}
		r, err := c.Check(t.Context(), pebbleDir, length, text("s3://b/k/train.jsonl", rows(prompt, strings.Repeat("x ", 14_000))), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := check("p", 100)
	if err := r.Err(); err != nil || !strings.Contains(strings.Join(r.Warnings, "\n"), "cut off at the 100 tokens of maxSequenceLength: 1 row (line 1)") {
		t.Errorf("%v, %q", err, r.Warnings)
	}
	err := check(strings.Repeat("a ", 100), 100).Err()
	if err == nil || !strings.Contains(err.Error(), "rows are cut off at 100 (maxSequenceLength)") {
		t.Errorf("%v does not name maxSequenceLength", err)
	}
}

func TestErrNamesTheFirstAndCountsAll(t *testing.T) {
	t.Parallel()
	bad := strings.Repeat("x\n", 7) + rows("p", " ")
	err := check(t, 64, rows("p", "c"), "", bad).Err()
	want := "Unable to parse Amazon S3 file: val1.jsonl. Data files must conform to JSONL format. val1.jsonl: the file is empty"
	var e *outcrop.Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Msg, want) {
		t.Fatalf("error %v", err)
	}
	for _, part := range []string{"val2.jsonl line 1: column 1:", "val2.jsonl line 4:", "9 errors in all; `outcrop data check FILE --base MODEL` lists them"} {
		if !strings.Contains(e.Msg, part) {
			t.Errorf("%q is not in %q", part, e.Msg)
		}
	}
	if strings.Contains(e.Msg, "line 5") || len(e.Msg) > 1024 {
		t.Errorf("too much: %q", e.Msg)
	}
	long := check(t, 64, rows(strings.Repeat("é ", 6*quotaTokens), "c")).Err()
	if long == nil || !strings.Contains(long.Error(), `Input size exceeded in file train.jsonl for record starting with "é é`) {
		t.Errorf("error %.200v", long)
	}
}

// TestRowsInOrder: with several workers, line numbers come in the order of the file, and a
// second run gives the same bytes.
func TestRowsInOrder(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 1000 {
		b.WriteString(rows(fmt.Sprint("p", i), strings.Repeat("word ", i%50+1)))
		b.WriteString(rows("same", "row"))
	}
	first, second := check(t, 4096, b.String()), check(t, 4096, b.String())
	if !bytes.Equal(first.JSON(), second.JSON()) {
		t.Error("two runs differ")
	}
	d := first.Files[0].Duplicates
	if d.Count != 999 || len(d.Lines) != linesMax || d.Lines[0] != 4 || d.Lines[19] != 42 {
		t.Errorf("duplicates %v", d)
	}
}

func TestNoLabelProblemsAreMergedByLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 100)
	f := check(t, 50, rows(long, "c")+"junk\n"+rows(long, "c")+"junk\n").Files[0]
	if f.ProblemCount != 4 || f.NoLabel != 2 || f.Rows != 2 {
		t.Fatalf("%+v", f)
	}
	for i, kind := range []dataset.Kind{NoLabel, dataset.NotJSONL, NoLabel, dataset.NotJSONL} {
		if p := f.Problems[i]; p.Line != i+1 || p.Kind != kind {
			t.Errorf("problem %d is %v", i, p)
		}
	}
}

func TestCheckOpenErrors(t *testing.T) {
	t.Parallel()
	missing := func(name string, err error) Source {
		return Source{name, func(context.Context) (io.ReadCloser, error) { return nil, err }}
	}
	notFound := outcrop.Errorf(outcrop.CodeNotFound, "no such key")
	c := Checker{}
	_, err := c.Check(t.Context(), pebbleDir, 64, missing("s3://my-bucket/a/b.jsonl", notFound), nil)
	if outcrop.CodeOf(err) != outcrop.CodeValidation ||
		!strings.Contains(err.Error(), "Could not validate GetObject permissions to access Amazon S3 bucket: my-bucket at key a/b.jsonl") {
		t.Errorf("missing object: %v", err)
	}
	if got := outcrop.ReasonOf(err); got != outcrop.ReasonNoInput || attempt.ExitCode(err) != attempt.ExitNoInput {
		t.Errorf("reason %q, exit code %d of %v", got, attempt.ExitCode(err), err)
	}
	if _, err := c.Check(t.Context(), pebbleDir, 64, missing("train.jsonl", os.ErrNotExist), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := c.Check(t.Context(), t.TempDir(), 64, text("x", ""), nil); outcrop.CodeOf(err) != outcrop.CodeModelError {
		t.Errorf("no tokenizer: %v", err)
	}
	if _, err := c.Check(t.Context(), pebbleDir, 0, text("x", ""), nil); err == nil {
		t.Error("no context length was accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Check(ctx, pebbleDir, 64, text("x", rows("a", "b")), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestWriteText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := check(t, 8, rows("a b c", "d e f")+"junk\n", rows("a b c", "d")).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"s3://b/k/train.jsonl (training)", "rows        1 of 2 lines", "truncated   1 (line 1)", "errors      1\n    line 2: column 1: ", "leaks       1 (line 1)", "warning: s3://b/k/train.jsonl: 1 rows are few"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

// TestCheckRealData: the data sets of the guide's flow pass as they are, and MTS-Dialog's
// known leak is found.
func TestCheckRealData(t *testing.T) {
	t.Parallel()
	file := func(path string) Source {
		return Source{path, func(context.Context) (io.ReadCloser, error) { return os.Open(sharedData + path) }}
	}
	if _, err := os.Stat(sharedData); err != nil {
		t.Skip("SKIPPED, the shared data are missing: ", err)
	}
	for _, c := range []struct {
		dir                    string
		rows, leaks, truncated int
	}{{"mts-dialog/summarize", 1201, 1, 0}, {"patient-notes", 5000, 0, 0}} {
		r, err := (&Checker{}).Check(t.Context(), pebbleDir, 4096, file(c.dir+"/train.jsonl"), []Source{file(c.dir + "/validation.jsonl")})
		if err != nil {
			t.Fatal(err)
		}
		if f := r.Files[0]; r.Err() != nil || f.Rows != c.rows || f.Truncated.Count != c.truncated || r.Files[1].Leaks.Count != c.leaks {
			t.Errorf("%s: %+v, %v", c.dir, r, r.Err())
		}
	}
}

// BenchmarkCheck10000Rows is what CreateModelCustomizationJob does before it answers.
func BenchmarkCheck10000Rows(b *testing.B) {
	data, err := os.ReadFile(sharedData + "patient-notes/train.jsonl")
	if err != nil {
		b.Skip("SKIPPED, the shared data are missing: ", err)
	}
	data = append(data, data...)
	src := Source{"train.jsonl", func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := (&Checker{}).Check(b.Context(), pebbleDir, 4096, src, nil); err != nil {
			b.Fatal(err)
		}
	}
}
