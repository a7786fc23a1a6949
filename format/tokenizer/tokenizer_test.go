package tokenizer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

const pebbleFile = "../../models/catalog/pebble/tokenizer.json"

var pebble = sync.OnceValue(func() *Tokenizer {
	t, err := Load(pebbleFile)
	if err != nil {
		panic(err)
	}
	return t
})

// golden is what tools/golden/tokenizer_golden.py writes.
type golden struct {
	Variants map[string]struct {
		PreTokenizer json.RawMessage `json:"pre_tokenizer"`
		Added        []string        `json:"added"`
		IDs          [][]int32       `json:"ids"`
	} `json:"variants"`
	Texts []string `json:"texts"`
	Long  []struct {
		Text   string `json:"text"`
		Repeat int    `json:"repeat"`
		Count  int    `json:"count"`
		SHA256 string `json:"sha256"`
	} `json:"long"`
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// variant is Pebble's file with another splitting rule or more added tokens.
func variant(t *testing.T, preTokenizer json.RawMessage, added []string) *Tokenizer {
	t.Helper()
	b, err := os.ReadFile(pebbleFile)
	if err != nil {
		t.Fatal(err)
	}
	var j map[string]any
	if err := json.Unmarshal(b, &j); err != nil {
		t.Fatal(err)
	}
	if preTokenizer != nil {
		j["pre_tokenizer"] = preTokenizer
	}
	for i, content := range added {
		j["added_tokens"] = append(j["added_tokens"].([]any), map[string]any{"id": 8192 + i, "content": content})
	}
	if b, err = json.Marshal(j); err != nil {
		t.Fatal(err)
	}
	tok, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestEncodeEqualsReference compares every id with the reference implementation's.
func TestEncodeEqualsReference(t *testing.T) {
	t.Parallel()
	g := readGolden(t)
	if len(g.Variants) < 7 || len(g.Texts) < 90 {
		t.Fatalf("only %d variants and %d texts", len(g.Variants), len(g.Texts))
	}
	for name, v := range g.Variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok := variant(t, v.PreTokenizer, v.Added)
			for i, text := range g.Texts {
				got, err := tok.Encode(text)
				if err != nil || !slices.Equal(got, v.IDs[i]) {
					t.Errorf("%q:\n got %v, %v\nwant %v", text, got, err, v.IDs[i])
				}
				if s := tok.Decode(got); s != text && name != "prefix" {
					t.Errorf("%q came back as %q", text, s)
				}
			}
		})
	}
}

func TestEncodeLongEqualsReference(t *testing.T) {
	t.Parallel()
	for _, c := range readGolden(t).Long {
		ids, err := pebble().Encode(strings.Repeat(c.Text, c.Repeat))
		if err != nil {
			t.Fatal(err)
		}
		var b []byte
		for i, id := range ids {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(id), 10)
		}
		sum := sha256.Sum256(b)
		if len(ids) != c.Count || hex.EncodeToString(sum[:]) != c.SHA256 {
			t.Errorf("%q x %d: %d ids, want %d, or other ids", c.Text, c.Repeat, len(ids), c.Count)
		}
	}
}

func TestSpecialTokensAreNotInText(t *testing.T) {
	t.Parallel()
	tok := pebble()
	want := map[string]int32{"<|bos|>": 8184, "<|sep|>": 8185, "<|eos|>": 8186, "<|pad|>": 8187, "<|unused3|>": 8191}
	for content, id := range want {
		got, ok := tok.Special(content)
		if !ok || got != id || !tok.IsSpecial(id) {
			t.Errorf("%s is %d, %v; want %d", content, got, ok, id)
		}
		ids, err := tok.Encode("x" + content + content)
		if err != nil || slices.ContainsFunc(ids, tok.IsSpecial) {
			t.Errorf("%s became special in text: %v, %v", content, ids, err)
		}
	}
	if tok.VocabSize() != 8192 || tok.Reach() != 8184 || tok.IsSpecial(8183) || tok.IsSpecial(-1) || tok.IsSpecial(8192) {
		t.Errorf("vocabulary of %d", tok.VocabSize())
	}
	if s := tok.Decode([]int32{8184, 'H' - '!' + 33, 8186, -1, 9999}); s != "H" {
		t.Errorf("decoded %q, want H alone", s)
	}
}

func TestRulesEqualTheirPatterns(t *testing.T) {
	t.Parallel()
	for pattern, rule := range knownPatterns {
		re := regexOf(t, pattern)
		for _, text := range readGolden(t).Texts {
			if got, want := pieces(t, ruleFinder{rule, classes{bmpClass()}}, text), pieces(t, re, text); !slices.Equal(got, want) {
				t.Errorf("%s on %q:\n got %q\nwant %q", pattern, text, got, want)
			}
		}
	}
}

// regexOf is the finder of a pattern that has a rule, without the rule.
func regexOf(t testing.TB, pattern_ string) finder {
	t.Helper()
	p := "(?:" + pattern_ + ")"
	f, err := newFinder(pattern{Regex: &p})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func pieces(t testing.TB, f finder, text string) (all []string) {
	t.Helper()
	if text == "" {
		return nil
	}
	w := newWork(t.Context())
	w.grow(len(text))
	spans, err := f.find(text, nil, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spans {
		all = append(all, text[s.start:s.end])
	}
	return all
}

func byteID(t *Tokenizer, b byte) int32 { return t.model.(*bpe).bytes[b] }

func TestDecoderEmitsWholeCharacters(t *testing.T) {
	t.Parallel()
	tok := pebble()
	text := "héllo 世界 👩‍👧 ende"
	d := tok.NewDecoder()
	var got strings.Builder
	for _, b := range []byte(text) { // a token for each byte: the worst case
		part := d.Push(byteID(tok, b))
		if !utf8.ValidString(part) {
			t.Fatalf("emitted %q", part)
		}
		got.WriteString(part)
	}
	if got.String() != text || d.Flush() != "" {
		t.Errorf("got %q", got.String())
	}
	for _, c := range []struct{ in, want string }{
		{"a\xffb", "a\uFFFDb"}, {"\xe4\xb8", "\uFFFD"}, {"\xe4\xb8a", "\uFFFDa"}, {"\x80", "\uFFFD"}, {"\xf0\x9f\x98", "\uFFFD"}, {"", ""},
	} {
		out := ""
		for _, b := range []byte(c.in) {
			out += d.Push(byteID(tok, b))
		}
		if out += d.Flush(); out != c.want {
			t.Errorf("%q: %q, want %q", c.in, out, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(pebbleFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"type", `"type": "BPE"`, `"type": "Trigram"`, `model.type "Trigram"`},
		{"type of another vocabulary", `"type": "BPE"`, `"type": "Unigram"`, `not a list`},
		{"normalizer", `"normalizer": null`, `"normalizer": {"type":"NFX"}`, "normalizer NFX: not supported"},
		{"behavior", `"behavior": "Isolated"`, `"behavior": "Shaken"`, `behavior "Shaken" is not known`},
		{"pre_tokenizer", `"type": "Split"`, `"type": "UnicodeScripts"`, "pre_tokenizer UnicodeScripts: not supported"},
		{"id twice", `"!": 33`, `"!": 34`, "id 34 is also"},
		{"id negative", `"!": 33`, `"!": -1`, "id -1"},
		{"id at the limit", `"!": 33`, `"!": 1048576`, "is not below"},
		{"added empty", `"content": "<|bos|>"`, `"content": ""`, "no content"},
		{"added elsewhere", `"content": "<|bos|>"`, `"content": "!"`, "in model.vocab"},
		{"not JSON", `{`, `[`, "invalid character"},
	} {
		bad := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(bad, good) {
			t.Errorf("%s: %q is not in the file", c.name, c.old)
		}
		if _, err := Parse(bad); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Parse(make([]byte, FileBytesMax+1)); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("too long a file: %v", err)
	}
	if _, err := Load("testdata/none.json"); err == nil {
		t.Error("a file that does not exist was loaded")
	}
}

// FuzzEncode: any bytes come back, and splitting by hand is splitting by the pattern.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "it's 1234  x\r\n\n y", "\xff\xfe é\u0301", "a\u00a0\u2028 '' 'a", strings.Repeat("ab", 99)} {
		f.Add(s)
	}
	tok := pebble()
	f.Fuzz(func(t *testing.T, text string) {
		ids, err := tok.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		var b []byte
		d := tok.NewDecoder()
		stream := ""
		for _, id := range ids {
			b = append(b, tok.Token(id)...)
			stream += d.Push(id)
		}
		stream += d.Flush()
		if string(b) != text {
			t.Errorf("%q came back as %q", text, b)
		}
		if !utf8.ValidString(stream) || utf8.ValidString(text) && stream != text {
			t.Errorf("%q streamed as %q", text, stream)
		}
		if utf8.ValidString(text) {
			for pattern, rule := range knownPatterns {
				if strings.Contains(text, "ſ") {
					continue // which the general engine does not fold to s
				}
				if got, want := pieces(t, ruleFinder{rule, classes{bmpClass()}}, text), pieces(t, regexOf(t, pattern), text); !slices.Equal(got, want) {
					t.Errorf("%s on %q:\n got %q\nwant %q", pattern, text, got, want)
				}
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	var text []byte
	for _, s := range func() golden {
		var g golden
		j, _ := os.ReadFile("testdata/golden.json")
		json.Unmarshal(j, &g)
		return g
	}().Texts[12:20] {
		text = append(text, s...)
	}
	tok := pebble()
	for _, c := range []struct{ name, text string }{
		{"note", strings.Repeat("Summarize this patient note: 61yo male c/o worsening shortness of breath and leg swelling x 9 days. PMH CKD. BNP 1850, CXR shows pulmonary edema. BP 119/84, HR 67, T 98.8, O2 sat 83% RA.\n", 50)},
		{"mixed", string(text)},
		{"aaaa1MiB", strings.Repeat("a", 1<<20)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			ids := make([]int32, 0, len(c.text))
			for b.Loop() {
				ids, _ = tok.AppendEncode(ids[:0], c.text)
			}
		})
	}
}

// FuzzParse: no file panics, and with one that is accepted no text does.
func FuzzParse(f *testing.F) {
	vocab := map[string]int{}
	for i := range 256 {
		vocab[EncodeByteLevel([]byte{byte(i)})] = i
	}
	vocab["ab"], vocab["abc"] = 256, 257
	small, err := json.Marshal(map[string]any{
		"added_tokens":  []any{map[string]any{"id": 258, "content": "<e>", "special": true}, map[string]any{"id": 259, "content": "xy"}},
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "use_regex": true},
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{"a b", "ab c"}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small, "abcab <e> xyxy")
	f.Add([]byte(`{"model":{"type":"BPE"}}`), "")
	f.Add([]byte(`{"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"_"},{"type":"Replace","pattern":{"Regex":" +"},"content":"_"},
		{"type":"NFKC"},{"type":"Strip","strip_left":true}]},"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"first"},
		"post_processor":{"type":"BertProcessing","sep":["a",0],"cls":["b",1]},
		"decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1}]},
		"model":{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["a",-1],["_b",-2.5],["<0x41>",-3]]}}`), "a b \u0301A\xff")
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		tok, err := Parse(file)
		if err != nil {
			return
		}
		ids, err := tok.Encode(text)
		if err != nil {
			return // a pattern of the file's own that ran away, or an unknown character
		}
		checkStream(t, tok, tok.PostProcess(ids))
		again, starts, err := tok.EncodeSegments(Segment{Text: text})
		if err != nil || !slices.Equal(again, ids) || len(starts) != len(ids) {
			t.Errorf("%q is %v; as a segment %v at %v, %v", text, ids, again, starts, err)
		}
	})
}

// checkStream checks that what a Decoder emits is UTF-8 and together what Decode returns.
func checkStream(t *testing.T, tok *Tokenizer, ids []int32) {
	t.Helper()
	d := tok.NewDecoder()
	stream := ""
	for i := 0; i <= len(ids); i++ {
		part := ""
		if i < len(ids) {
			part = d.Push(ids[i])
		} else {
			part = d.Flush()
		}
		if !utf8.ValidString(part) {
			t.Errorf("%v: emitted %q", ids, part)
		}
		stream += part
	}
	if want := tok.Decode(ids); stream != want {
		t.Errorf("%v decodes to %q and streams as %q", ids, want, stream)
	}
}
