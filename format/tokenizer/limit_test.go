package tokenizer

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestLimit: at the limit a text has the tokens that it has without, and one past it ErrTooLong,
// with tokenizers of every kind.
func TestLimit(t *testing.T) {
	t.Parallel()
	var texts []string
	readJSON(t, kindsDir+"texts.json", &texts)
	for _, name := range kindNames(t) {
		tok, _ := loadKind(t, name)
		for i, text := range texts {
			want, err := tok.Encode(text)
			if err != nil || len(want) < 2 {
				continue
			}
			if got, err := tok.Limit(len(want)).Encode(text); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: text %d at the limit: %v, %v; want %v", name, i, got, err, want)
			}
			if _, err := tok.Limit(len(want) - 1).Encode(text); !errors.Is(err, ErrTooLong) {
				t.Errorf("%s: text %d of %d tokens, with a limit of one less: %v", name, i, len(want), err)
			}
		}
	}
}

// TestLimitIsNotABytesLimit: text that becomes few tokens is taken however long it is.
func TestLimitIsNotABytesLimit(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	for _, c := range []struct{ name, file string }{
		{"dropped by the normalizer", `{"normalizer": {"type": "Replace", "pattern": {"String": "x"}, "content": ""}, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}`},
		{"fused to one unknown", `{"model": {"type": "BPE", "unk_token": "?", "fuse_unk": true, "vocab": {"a": 0, "?": 1}, "merges": []}}`},
		{"dropped as unknown", `{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}`},
		{"a word too long", `{"model": {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##", "max_input_chars_per_word": 10, "vocab": {"a": 0, "?": 1}}}`},
	} {
		tok, err := Parse([]byte(c.file))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got, err := tok.Limit(3).Encode("a" + long + "a"); err != nil || len(got) > 3 {
			t.Errorf("%s: %d tokens, %v", c.name, len(got), err)
		}
	}
}

// TestLimitSavesWork: a piece that has too many bytes for what is left is not merged at all, and
// pieces behind the limit are not looked at.
func TestLimitSavesWork(t *testing.T) {
	t.Parallel()
	tok := variant(t, json.RawMessage(`{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}`), nil).Limit(10)
	for _, unit := range []string{"a", "a b "} {
		ids, err := tok.Encode(strings.Repeat(unit, 8<<20))
		if !errors.Is(err, ErrTooLong) || len(ids) > 11 {
			t.Errorf("8 MiB and more of %q: %d tokens, %v", unit, len(ids), err)
		}
	}
}
