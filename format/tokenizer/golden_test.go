package tokenizer

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// kindsDir holds what tools/parity/tokenizer_kinds.py writes: small tokenizers of every kind,
// and what the reference makes of texts that are easy to get wrong.
const kindsDir = "testdata/kinds/"

// kindGolden is the reference's answers for one tokenizer and the texts of texts.json.
type kindGolden struct {
	Base    string                     `json:"base"`  // the kind whose file it is, with other parts
	Parts   map[string]json.RawMessage `json:"parts"` // these
	Plain   [][]int32                  `json:"plain"` // nil: as Special, or a special token came from text
	Special [][]int32                  `json:"special"`
	Post    [][]int32                  `json:"post"`    // of the first texts
	Lists   [][]int32                  `json:"lists"`   // ids as a model may produce them
	Decoded []*string                  `json:"decoded"` // of Special and Lists; nil: the reference panics
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(path, err)
	}
}

// loadKind returns a kind's tokenizer and golden.
func loadKind(t testing.TB, name string) (*Tokenizer, kindGolden) {
	t.Helper()
	var g kindGolden
	readJSON(t, kindsDir+name+".golden.json", &g)
	var file map[string]json.RawMessage
	base := name
	if g.Base != "" {
		base = g.Base
	}
	readJSON(t, kindsDir+base+".tokenizer.json", &file)
	maps.Copy(file, g.Parts)
	b, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(b)
	if err != nil {
		t.Fatal(name, err)
	}
	return tok, g
}

func kindNames(t testing.TB) (names []string) {
	t.Helper()
	files, err := filepath.Glob(kindsDir + "*.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".golden.json"))
	}
	if len(names) < 46 {
		t.Fatalf("only %d kinds of tokenizer in %s", len(names), kindsDir)
	}
	return names
}

// compareKind returns how tok differs from g.
func compareKind(tok *Tokenizer, g kindGolden, texts []string) (diffs []string) {
	differ := func(format string, args ...any) { diffs = append(diffs, fmt.Sprintf(format, args...)) }
	for i, text := range texts {
		special, starts, err := tok.EncodeSegments(Segment{text, true})
		if err != nil || !slices.Equal(special, g.Special[i]) || len(starts) != len(special) {
			differ("special %q:\n got %v, %v\nwant %v", text, special, err, g.Special[i])
		}
		if i < len(g.Post) && !slices.Equal(tok.PostProcess(special), g.Post[i]) {
			differ("post %q:\n got %v\nwant %v", text, tok.PostProcess(special), g.Post[i])
		}
		plain, err := tok.Encode(text)
		if want := g.Plain[i]; err != nil || want != nil && !slices.Equal(plain, want) {
			differ("plain %q:\n got %v, %v\nwant %v", text, plain, err, want)
		}
	}
	for i, ids := range slices.Concat(g.Special, g.Lists) {
		if got, want := tok.Decode(ids), g.Decoded[i]; want != nil && got != *want {
			differ("decode %v:\n got %q\nwant %q", ids, got, *want)
		}
	}
	return diffs
}

// TestEveryKindEqualsReference compares ids and texts of every kind with the reference's.
func TestEveryKindEqualsReference(t *testing.T) {
	t.Parallel()
	var texts []string
	readJSON(t, kindsDir+"texts.json", &texts)
	for _, name := range kindNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok, g := loadKind(t, name)
			for _, d := range compareKind(tok, g, texts) {
				t.Error(d)
			}
			unknown := unknownID(tok)
			for i, text := range texts {
				plain, err := tok.Encode(text)
				if err != nil || slices.ContainsFunc(plain, func(id int32) bool { return tok.IsSpecial(id) && id != unknown }) {
					t.Errorf("%q has special tokens: %v, %v", text, plain, err)
				}
				checkStream(t, tok, g.Special[i])
			}
			for _, ids := range g.Lists {
				checkStream(t, tok, ids)
			}
		})
	}
}

func unknownID(t *Tokenizer) int32 {
	switch m := t.model.(type) {
	case *bpe:
		return m.unknown.id
	case *unigram:
		return m.unknown
	case *wordPiece:
		return m.unknown.id
	case *wordLevel:
		return m.unknown.id
	}
	return noID
}

// TestComparerSeesDifferences: what compareKind compares, it compares.
func TestComparerSeesDifferences(t *testing.T) {
	t.Parallel()
	var texts []string
	readJSON(t, kindsDir+"texts.json", &texts)
	for _, c := range []struct {
		name  string
		spoil func(g *kindGolden)
	}{
		{"nothing", func(*kindGolden) {}},
		{"an id", func(g *kindGolden) { g.Special[20][0]++ }},
		{"an id of plain text", func(g *kindGolden) { g.Plain[29] = []int32{1} }},
		{"an id too few", func(g *kindGolden) { g.Special[31] = g.Special[31][1:] }},
		{"two ids swapped", func(g *kindGolden) { g.Special[15][0], g.Special[15][1] = g.Special[15][1], g.Special[15][0] }},
		{"post", func(g *kindGolden) { g.Post[0] = append(g.Post[0], 0) }},
		{"text", func(g *kindGolden) { *g.Decoded[18] += " " }},
	} {
		tok, g := loadKind(t, "llama3")
		c.spoil(&g)
		if found := len(compareKind(tok, g, texts)) > 0; found != (c.name != "nothing") {
			t.Errorf("%s: differences found: %v", c.name, found)
		}
	}
}

// TestSegmentsAreOneText: cutting a text into segments changes no id, and special tokens are
// seen only where they may be.
func TestSegmentsAreOneText(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"llama3", "qwen2", "llama2", "mistral-metaspace", "gemma", "unigram-bytes", "albert", "bert"} {
		tok, _ := loadKind(t, name)
		text := "Hello there,  e\u0301l mundo 🙂 42\n\n x"
		want, wantStarts, err := tok.EncodeSegments(Segment{Text: text})
		if err != nil || !slices.IsSorted(wantStarts) || wantStarts[len(want)-1] >= len(text) {
			t.Fatal(name, want, wantStarts, err)
		}
		for i := range len(text) + 1 {
			ids, starts, err := tok.EncodeSegments(Segment{text[:i], true}, Segment{Text: text[i:]})
			if err != nil || !slices.Equal(ids, want) || !slices.Equal(starts, wantStarts) {
				t.Errorf("%s: cut at %d: %v at %v, %v; want %v at %v", name, i, ids, starts, err, want, wantStarts)
			}
		}
	}
	tok, _ := loadKind(t, "llama3")
	eot, _ := tok.Special("<|eot_id|>")
	for _, c := range []struct {
		segments []Segment
		want     int // how often the special token is seen
	}{
		{[]Segment{{"<|eot_id|>", true}, {"<|eot_id|>", false}, {"<|eot_id|>", true}}, 2},
		{[]Segment{{"<|eot", true}, {"_id|>", true}}, 1},
		{[]Segment{{"<|eot", true}, {"_id|>", false}}, 0},
		{[]Segment{{"<|eot", false}, {"_id|>", true}}, 0},
		{[]Segment{{"", true}, {"<|eot_id|>", false}, {"", true}}, 0},
		{nil, 0},
	} {
		ids, _, err := tok.EncodeSegments(c.segments...)
		n := 0
		for _, id := range ids {
			if id == eot {
				n++
			}
		}
		if err != nil || n != c.want {
			t.Errorf("%v: %d special tokens, want %d: %v, %v", c.segments, n, c.want, ids, err)
		}
	}
}

// TestStartsAreWhereTokensBegin: where nothing is rewritten, the text from one beginning to
// the next is the token's.
func TestStartsAreWhereTokensBegin(t *testing.T) {
	t.Parallel()
	tok, _ := loadKind(t, "llama3")
	text := "<|begin_of_text|>It's 12345 états — 🙂\n\n<|eot_id|>  ok " + strings.Repeat("long", 40)
	ids, starts, err := tok.EncodeSegments(Segment{text, true})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		end := len(text)
		if i+1 < len(ids) {
			end = starts[i+1]
		}
		want := string(tok.Token(id))
		if tok.IsSpecial(id) {
			want = tok.content[id]
		}
		if got := text[starts[i]:end]; got != want {
			t.Errorf("token %d, %d, begins at %d: %q, want %q", i, id, starts[i], got, want)
		}
	}
}

// FuzzKinds: with a tokenizer of any kind no text panics, no special token comes from text,
// and the stream is the whole; byte-level ones give back any text that no normalizer changed.
func FuzzKinds(f *testing.F) {
	var texts []string
	readJSON(f, kindsDir+"texts.json", &texts)
	for i, text := range texts {
		f.Add(text, uint8(i))
	}
	f.Add("\xff\xfe\xc3 \x80", uint8(9))
	names := kindNames(f)
	var toks []*Tokenizer
	for _, name := range names {
		tok, _ := loadKind(f, name)
		toks = append(toks, tok)
	}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		i := int(which) % len(toks)
		tok := toks[i]
		plain, err := tok.Encode(text)
		if err != nil {
			t.Fatal(names[i], err)
		}
		for _, id := range plain {
			if tok.IsSpecial(id) && id != unknownID(tok) {
				t.Errorf("%s: %q became special: %v", names[i], text, plain)
			}
		}
		checkStream(t, tok, plain)
		ids, starts, err := tok.EncodeSegments(Segment{text, true})
		if err != nil || len(starts) != len(ids) {
			t.Errorf("%s: %q: %v at %v, %v", names[i], text, ids, starts, err)
		}
		if names[i] == "llama3" || names[i] == "gpt2" || names[i] == "o200k" || names[i] == "deepseek" {
			if got := tok.Decode(plain); utf8.ValidString(text) && got != text {
				t.Errorf("%s: %q came back as %q", names[i], text, got)
			}
		}
	})
}
