package tokenizer

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// smallFile is a file of two tokens with other parts, as JSON.
func smallFile(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	file := map[string]json.RawMessage{"model": json.RawMessage(`{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}`)}
	for name, part := range parts {
		file[name] = json.RawMessage(part)
	}
	b, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func nested(kind, list, inside string, depth int) string {
	for range depth {
		inside = fmt.Sprintf(`{"type":%q,%q:[%s]}`, kind, list, inside)
	}
	return inside
}

func unigramOf(token string) string {
	return fmt.Sprintf(`{"type":"Unigram","unk_id":0,"vocab":[["a",-1],[%q,-2]]}`, token)
}

// TestPartsAtTheirLimits: every limit, and one past it.
func TestPartsAtTheirLimits(t *testing.T) {
	t.Parallel()
	a := func(n int) string { return strings.Repeat("a", n) }
	for _, c := range []struct {
		part string
		at   func(past int) string
		want string
	}{
		{"normalizer", func(p int) string { return nested("Sequence", "normalizers", `{"type":"NFC"}`, nestingMax+p) }, "nested 17 deep"},
		{"pre_tokenizer", func(p int) string { return nested("Sequence", "pretokenizers", `{"type":"Whitespace"}`, nestingMax+p) }, "nested 17 deep"},
		{"decoder", func(p int) string { return nested("Sequence", "decoders", `{"type":"Fuse"}`, nestingMax+p) }, "nested 17 deep"},
		{"post_processor", func(p int) string { return nested("Sequence", "processors", `{"type":"ByteLevel"}`, nestingMax+p) }, "nested 17 deep"},
		{"pre_tokenizer", func(p int) string {
			return fmt.Sprintf(`{"type":"Split","behavior":"Isolated","pattern":{"Regex":%q}}`, a(patternBytesMax+p))
		}, "pattern has 16385 bytes"},
		{"pre_tokenizer", func(p int) string { return fmt.Sprintf(`{"type":"FixedLength","length":%d}`, 1-p) }, "length 0"},
		{"decoder", func(p int) string {
			return fmt.Sprintf(`{"type":"Strip","content":" ","start":%d,"stop":0}`, stripMax+p)
		}, "start 1025"},
		{"decoder", func(p int) string { return fmt.Sprintf(`{"type":"Strip","content":" ","start":0,"stop":%d}`, -p) }, "stop -1"},
		{"added_tokens", func(p int) string { return fmt.Sprintf(`[{"id":2,"content":%q}]`, a(tokenBytesMax+p)) }, "1025 bytes"},
		{"added_tokens", func(p int) string { return fmt.Sprintf(`[{"id":%d,"content":"c"}]`, VocabMax-1+p) }, "id 1048576"},
		{"model", func(p int) string { return unigramOf(a(tokenBytesMax + p)) }, "1025 bytes"},
		{"model", func(p int) string { return fmt.Sprintf(`{"type":"Unigram","unk_id":%d,"vocab":[["a",0]]}`, p) }, "unk_id 1"},
		{"model", func(p int) string {
			return fmt.Sprintf(`{"type":"WordPiece","max_input_chars_per_word":%d,"vocab":{"a":0}}`, wordCharsMax+p)
		}, "at most 10000"},
		{"post_processor", func(p int) string {
			return fmt.Sprintf(`{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s"}}],"special_tokens":{"s":{"ids":[%s0]}}}`, strings.Repeat("0,", framePartsMax-1+p))
		}, "more than 256 parts"},
	} {
		if _, err := Parse(smallFile(t, map[string]string{c.part: c.at(0)})); err != nil {
			t.Errorf("%s at its limit: %v", c.part, err)
		}
		if _, err := Parse(smallFile(t, map[string]string{c.part: c.at(1)})); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s past its limit: error %v, want %q", c.part, err, c.want)
		}
	}
}

// TestPartsRefusedByName: what is not known or does not fit together is an error that says what.
func TestPartsRefusedByName(t *testing.T) {
	t.Parallel()
	good := map[string]string{"pre_tokenizer": `{"type":"Whitespace"}`}
	if _, err := Parse(smallFile(t, good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ part, value, want string }{
		{"normalizer", `{"type":"Magic"}`, "normalizer Magic: not supported"},
		{"normalizer", `{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Magic"}]}`, "normalizer Magic: not supported"},
		{"normalizer", `{"type":"Replace","content":"x"}`, "normalizer Replace: pattern is neither"},
		{"normalizer", `{"type":"Replace","content":"x","pattern":{"Regex":"("}}`, "normalizer Replace: pattern"},
		{"normalizer", `{"type":"Precompiled","precompiled_charsmap":"AAA="}`, "precompiled_charsmap has 2 bytes"},
		{"normalizer", `{"type":"Precompiled","precompiled_charsmap":"////fwAAAAA="}`, "a trie of 2147483647 bytes in 4"},
		{"pre_tokenizer", `{"type":"Magic"}`, "pre_tokenizer Magic: not supported"},
		{"pre_tokenizer", `{"type":"Metaspace","replacement":"__"}`, `replacement "__" is not one character`},
		{"pre_tokenizer", `{"type":"Metaspace","replacement":"_","prepend_scheme":"often"}`, `prepend_scheme "often"`},
		{"pre_tokenizer", `{"type":"Metaspace","replacement":"_","prepend_scheme":"first","add_prefix_space":false}`, "add_prefix_space is false"},
		{"pre_tokenizer", `{"type":"CharDelimiterSplit","delimiter":""}`, "delimiter"},
		{"decoder", `{"type":"CTC"}`, "decoder CTC: not supported"},
		{"decoder", `{"type":"Strip","content":"ab"}`, `content "ab" is not one character`},
		{"post_processor", `{"type":"Magic"}`, "post_processor Magic: not supported"},
		{"post_processor", `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s"}}]}`, `"s" is not in special_tokens`},
		{"post_processor", `{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B"}}]}`, "neither a special token nor sequence A"},
		{"post_processor", `{"type":"BertProcessing","sep":["x",7],"cls":["a",0]}`, "there is no token 7"},
		{"post_processor", `{"type":"BertProcessing","sep":["x"],"cls":["a",0]}`, "sep or cls is missing"},
		{"post_processor", `{"type":"Sequence","processors":[{"type":"BertProcessing","sep":["a",0],"cls":["a",0]},{"type":"BertProcessing","sep":["a",0],"cls":["a",0]}]}`, "a second one"},
		{"model", `{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}`, "id 0 is also"},
		{"model", `{"type":"BPE","vocab":{"a":-1},"merges":[]}`, "id -1 is not below"},
		{"model", `{"type":"BPE","vocab":{"a":1.5},"merges":[]}`, "id 1.5 is not below"},
		{"model", `{"type":"BPE","vocab":{"a":"b"},"merges":[]}`, "is not below"},
		{"model", `{"type":"BPE","vocab":["a"],"merges":[]}`, "model.vocab"},
		{"model", `{"type":"BPE","vocab":{"a":0},"merges":["aa"]}`, `model.merges[0]: "aa" is not a pair`},
		{"model", `{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}`, "less than a pair"},
		{"model", `{"type":"BPE","vocab":{"a":0},"merges":[["a","a","a"]]}`, "more than a pair"},
		{"model", `{"type":"BPE","vocab":{"a":0},"merges":[["a","a"]]}`, "not in model.vocab"},
		{"model", `{"type":"Unigram","vocab":[["a"]]}`, "is not a token and its score"},
		{"added_tokens", `[{"id":1,"content":"c"}]`, "id 1 is also"},
	} {
		parts := maps.Clone(good)
		parts[c.part] = c.value
		if _, err := Parse(smallFile(t, parts)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v, want %q", c.part, c.value, err, c.want)
		}
	}
}

// TestUnknownCharacters: text that no token stands for is an error only where the file has no
// token for it and says that it should.
func TestUnknownCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ model, want string }{
		{`{"type":"BPE","vocab":{"a":0},"merges":[]}`, ""},
		{`{"type":"BPE","unk_token":"?","vocab":{"a":0},"merges":[]}`, `"?" is not in model.vocab`},
		{`{"type":"WordLevel","unk_token":"?","vocab":{"a":0}}`, `"?" is not in model.vocab`},
		{`{"type":"Unigram","vocab":[["a",0]]}`, "unk_id is missing"},
	} {
		tok, err := Parse(smallFile(t, map[string]string{"model": c.model}))
		if err != nil {
			t.Fatal(err)
		}
		ids, err := tok.Encode("zz")
		if c.want == "" && (err != nil || len(ids) != 0) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, %v; want %q", c.model, ids, err, c.want)
		}
	}
}
