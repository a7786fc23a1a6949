package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"outcrop.dev/outcrop/format/chat"
)

func readAll(t testing.TB, data string, limits Limits) (rows []Row, r Result) {
	t.Helper()
	r, err := Read(strings.NewReader(data), limits, func(row Row) error { rows = append(rows, row); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return rows, r
}

func TestReadAccepts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, prompt, completion string }{
		{`{"prompt":"p","completion":"c"}`, "p", "c"},
		{"\t{ \"completion\" : \"c\" ,\r\"prompt\":\"p\" } ", "p", "c"},
		{`{"prompt":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00","completion":" c "}`, "\"\\/\b\f\n\r\té😀", " c "},
		{`{"pro\u006dpt":"世界","completion":"\u0001"}`, "世界", "\x01"},
		{`{"prompt":"<|eos|>","completion":"\ufeff\ufffd"}`, "<|eos|>", "\ufeff\ufffd"},
	} {
		for _, end := range []string{"", "\n", "\r\n"} {
			rows, r := readAll(t, c.line+end, Limits{})
			want := Row{Line: 1, Format: Completions, Messages: []chat.Message{chat.Text(chat.User, c.prompt), chat.Text(chat.Assistant, c.completion)}}
			if len(rows) != 1 || !reflect.DeepEqual(rows[0], want) || r.ProblemCount != 0 || r.Lines != 1 || r.Format != Completions {
				t.Errorf("%q: %+v, %+v", c.line+end, rows, r)
			}
		}
	}
}

// deepArray opens more brackets than a recursive reader could follow.
var deepArray = strings.Repeat("[", 100_000)

var refusals = []struct {
	line string
	kind Kind
	want string
}{
	{"", NoRows, "the file is empty"},
	{"\n", NotJSONL, "line 1: is blank"},
	{" \t\r\n", NotJSONL, "line 1: is blank"},
	{"\ufeff{}", NotJSONL, "byte order mark"},
	{"\xff\xfe{\x00", NotJSONL, "UTF-16"},
	{"\x1f\x8b\x08", NotJSONL, "gzip"},
	{"{\"prompt\":\"a\x00\"}", NotJSONL, "column 13: there is a NUL byte"},
	{"{\"prompt\":\"é\xe9\"}", NotJSONL, "column 13: byte 0xE9 is not valid UTF-8"},
	{"{\"prompt\":\"\xed\xa0\x80\"}", NotJSONL, "not valid UTF-8"},
	{`[{"prompt":"p","completion":"c"}]`, NotJSONL, "a JSON array"},
	{deepArray, NotJSONL, "a JSON array"},
	{`"x"`, NotJSONL, "not a JSON object"},
	{`null`, NotJSONL, "not a JSON object"},
	{`}`, NotJSONL, "each object on one line"},
	{`{`, NotJSONL, "the line ends where a key"},
	{`{"prompt":"p","completion":"c"`, NotJSONL, "the line ends where a comma or }"},
	{`{"prompt":"p","completion":"c"},`, NotJSONL, "column 32: there is text after the object"},
	{`{"prompt":"p","completion":"c"} {"prompt":"p","completion":"c"}`, NotJSONL, "text after the object"},
	{`{"prompt":"p","completion":"c",}`, NotJSONL, "comma before the closing brace"},
	{`{"prompt":"p" "completion":"c"}`, NotJSONL, `'"' where a comma or }`},
	{`{"prompt" "p"}`, NotJSONL, "a colon"},
	{`{prompt:"p"}`, NotJSONL, "'p' where a key in double quotes"},
	{`{'prompt':'p'}`, NotJSONL, "double quotes"},
	{`{"prompt":p}`, NotJSONL, "'p' where text in double quotes"},
	{`{"prompt":"p`, NotJSONL, "the line ends inside text"},
	{`{"prompt":"a\`, NotJSONL, "backslash"},
	{`{"prompt":"C:\Users"}`, NotJSONL, "write \\\\ for a backslash"},
	{`{"prompt":"\u12"}`, NotJSONL, "backslash"},
	{`{"prompt":"\u12G4"}`, NotJSONL, "backslash"},
	{`{"prompt":"\uD800"}`, NotJSONL, "surrogate"},
	{`{"prompt":"\uD800\u0041"}`, NotJSONL, "surrogate"},
	{`{"prompt":"\uDC00\uD800"}`, NotJSONL, "surrogate"},
	{`{"prompt":"\u0000"}`, NotJSONL, "NUL character"},
	{"{\"prompt\":\"a\tb\"}", NotJSONL, `U+0009) inside text: write it as \t`},
	{"{\"prompt\":\"a\x01b\"}", NotJSONL, `write it as \u0001`},
	{`{}`, Content, `key "prompt" is missing`},
	{`{"prompt":"p"}`, Content, `key "completion" is missing`},
	{`{"completion":"c"}`, Content, `key "prompt" is missing`},
	{`{"prompt":"p","prompt":"q","completion":"c"}`, Content, `key "prompt" occurs twice`},
	{`{"prompt":"p","completion":"c","completion":"c"}`, Content, `key "completion" occurs twice`},
	{`{"Prompt":"p","completion":"c"}`, Content, `key "Prompt" must be written "prompt"`},
	{`{"prompt":"p","completion ":"c"}`, Content, `key "completion " must be written "completion"`},
	{`{"prompt":"p","completion":"c","id":7}`, Content, `key "id" is not known`},
	{`{"` + strings.Repeat("k", 99) + `":1}`, Content, `kkk..." is not known`},
	{`{"prompt":"p","messages":[]}`, Content, `key "messages" does not belong beside "prompt"`},
	{`{"prompt":"p","input":"x"}`, Content, `key "input" does not belong beside "prompt"`},
	{`{"SchemaVersion":"x"}`, Content, `must be written "schemaVersion"`},
	{`{"prompt":7}`, Content, `"prompt" is a number`},
	{`{"prompt":-7}`, Content, `"prompt" is a number`},
	{`{"prompt":null}`, Content, `"prompt" is null`},
	{`{"prompt":true}`, Content, `"prompt" is a boolean`},
	{`{"prompt":{}}`, Content, `"prompt" is an object`},
	{`{"prompt":` + deepArray, Content, `"prompt" is an array`},
	{`{"prompt":'p'}`, Content, "in single quotes"},
	{`{"prompt":"","completion":"c"}`, Content, `"prompt" is empty`},
	{`{"prompt":"p","completion":" \t\n\u00a0\u2003"}`, Content, `"completion" is only white space`},
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		rows, r := readAll(t, c.line, Limits{})
		if len(rows) != 0 || r.ProblemCount != 1 {
			t.Errorf("%.60q: %d rows, %d problems", c.line, len(rows), r.ProblemCount)
			continue
		}
		if p := r.Problems[0]; p.Kind != c.kind || !strings.Contains(p.String(), c.want) {
			t.Errorf("%.60q: %s %q, want %s %q", c.line, p.Kind, p, c.kind, c.want)
		}
	}
}

func row(chars int) string {
	return `{"prompt":"p","completion":"` + strings.Repeat("é", chars-1) + `"}` + "\n"
}

func TestLimits(t *testing.T) {
	t.Parallel()
	good := row(10)
	for _, c := range []struct {
		name   string
		data   string
		limits Limits
		want   string
	}{
		{"sample at the limit", good, Limits{CharactersMax: 10}, ""},
		{"sample past it", good, Limits{CharactersMax: 9}, "line 1: the row's texts have 10 characters, the limit of this model is 9"},
		{"line at the limit", good, Limits{LineBytesMax: len(good) - 1}, ""},
		{"line past it", good, Limits{LineBytesMax: len(good) - 2}, "line 1: is longer than"},
		{"line at the limit, no end", good[:len(good)-1], Limits{LineBytesMax: len(good) - 1}, ""},
		{"line at the limit, \\r\\n", good[:len(good)-1] + "\r\n", Limits{LineBytesMax: len(good) - 1}, ""},
		{"rows at the limit", good + good, Limits{RowsMax: 2}, ""},
		{"rows past it", good + good + good + "junk", Limits{RowsMax: 2}, "line 3: there are more than 2 rows"},
		{"default line at the limit", row((LineBytesMax - 28) / 2), Limits{}, ""},
		{"default line past it", row(LineBytesMax/2 + 1), Limits{}, "is longer than 1048576 bytes"},
	} {
		_, r := readAll(t, c.data, c.limits)
		got := fmt.Sprint(r.Problems)
		if c.want == "" && r.ProblemCount != 0 || c.want != "" && (r.ProblemCount != 1 || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %s, want %q", c.name, got, c.want)
		}
	}
}

func TestAllProblemsAreCountedAndTheFirstKept(t *testing.T) {
	t.Parallel()
	var data strings.Builder
	for i := range ProblemsMax + 5 {
		fmt.Fprintf(&data, "bad %d\n{\"prompt\":\"p\",\"completion\":\"c\"}\n", i)
	}
	rows, r := readAll(t, data.String(), Limits{})
	if len(rows) != ProblemsMax+5 || r.Rows != len(rows) || r.ProblemCount != ProblemsMax+5 || len(r.Problems) != ProblemsMax {
		t.Errorf("%d rows, %d problems, %d kept", len(rows), r.ProblemCount, len(r.Problems))
	}
	if last := r.Problems[ProblemsMax-1]; last.Line != 2*ProblemsMax-1 {
		t.Errorf("the last kept is line %d", last.Line)
	}
	if rows[1].Line != 4 || r.Bytes != int64(data.Len()) || r.Lines != 2*(ProblemsMax+5) {
		t.Errorf("row 2 is line %d; %d bytes, %d lines", rows[1].Line, r.Bytes, r.Lines)
	}
}

// TestHugeLineIsNotLoaded reads a line of 64 MiB between two rows.
func TestHugeLineIsNotLoaded(t *testing.T) {
	const size = 64 << 20
	src := io.MultiReader(strings.NewReader(row(9)), io.LimitReader(zeros{'x'}, size), strings.NewReader("\n"+row(9)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	r, err := Read(src, Limits{}, func(Row) error { n++; return nil })
	runtime.ReadMemStats(&after)
	if err != nil || n != 2 || r.ProblemCount != 1 || r.Problems[0].Line != 2 {
		t.Errorf("%d rows, %+v, %v", n, r, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8*LineBytesMax {
		t.Errorf("%d bytes were allocated for a line of %d", used, size)
	}
}

type zeros struct{ c byte }

func (z zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = z.c
	}
	return len(b), nil
}

func TestReadPassesErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection lost")
	_, err := Read(io.MultiReader(strings.NewReader(row(9)), iotest.ErrReader(broken)), Limits{}, func(Row) error { return nil })
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	full := errors.New("enough")
	if _, err := Read(strings.NewReader(row(9)), Limits{}, func(Row) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	rows, r := readAll(t, row(9)+row(9), Limits{})
	if one, err := Read(iotest.OneByteReader(strings.NewReader(row(9)+row(9))), Limits{}, func(Row) error { return nil }); err != nil || one.Rows != len(rows) || one.Bytes != r.Bytes {
		t.Errorf("byte by byte: %+v, %v", one, err)
	}
}

func BenchmarkRead(b *testing.B) {
	data, err := os.ReadFile("../../../shared/data/ft/patient-notes/train.jsonl")
	if err != nil {
		b.Skip("SKIPPED: ../shared/data is missing: ", err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Read(bytes.NewReader(data), Limits{}, func(Row) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// TestOneVerdict: of a file that is no text at all the first line says everything.
func TestOneVerdict(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"\x1f\x8b\x08\n\x00\x01\n\xff\n", "\xff\xfe{\x00\n\x00}\x00\n\x00"} {
		if _, r := readAll(t, data, Limits{}); r.ProblemCount != 1 {
			t.Errorf("%q: %v", data, r.Problems)
		}
	}
}

// TestLongLineIsNamed: a line that is too long to be read is told by its beginning.
func TestLongLineIsNamed(t *testing.T) {
	t.Parallel()
	for _, most := range []int{20, 70 << 10} {
		_, r := readAll(t, row(100<<10), Limits{LineBytesMax: most})
		if r.ProblemCount != 1 || !strings.HasPrefix(r.Problems[0].Start, `{"prompt":"`) || len(r.Problems[0].Start) > 80 {
			t.Errorf("%d bytes: %+v", most, r.Problems)
		}
	}
}
