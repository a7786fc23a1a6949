package tokenizer

import (
	"bytes"
	"os"
	"slices"
	"testing"
)

// TestEncodeApart: wherever a text is cut, the tokens before the cut are those of the text that
// ends there, and the tokens after it begin there; without a cut nothing changes.
func TestEncodeApart(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../models/catalog/pebble/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	// A special token that swallows the white space after it.
	b = bytes.Replace(b, []byte(`"normalized": false,
   "rstrip": false`), []byte(`"normalized": false,
   "rstrip": true`), 1)
	tok, err := Parse(b)
	if err != nil || !bytes.Contains(b, []byte(`"rstrip": true`)) {
		t.Fatal("no token swallows: ", err)
	}
	for _, text := range []string{
		"Hello there,  two spaces.\n\n\nThree lines\n \n and 12345 numbers", "<|bos|>  \n Hi<|sep|>  é世界 😀 ok<|eos|>", "   ", "x", "\n\n\n\n",
	} {
		whole, _, err := tok.EncodeSegments(Segment{text, true})
		if err != nil {
			t.Fatal(err)
		}
		if same, _, err := tok.EncodeApart([]int{0, len(text)}, Segment{text, true}); err != nil || !slices.Equal(same, whole) {
			t.Errorf("%q: cut at its ends: %v, want %v, %v", text, same, whole, err)
		}
		for cut := range text {
			if inSpecial(tok, text, cut) {
				continue
			}
			ids, starts, err := tok.EncodeApart([]int{cut}, Segment{text, true})
			if err != nil {
				t.Fatal(err)
			}
			before, _, err := tok.EncodeSegments(Segment{text[:cut], true})
			n, _ := slices.BinarySearch(starts, cut)
			if err != nil || !slices.Equal(ids[:n], before) {
				t.Errorf("%q cut at %d: %v before it, want %v, %v", text, cut, ids[:n], before, err)
			}
			if n < len(ids) && starts[n] != cut {
				t.Errorf("%q cut at %d: no token begins there: %v", text, cut, starts)
			}
		}
	}
}

// inSpecial reports whether a special token is spelled across a byte of text.
func inSpecial(tok *Tokenizer, text string, at int) bool {
	for content := range tok.special {
		for i := range text {
			if len(text)-i >= len(content) && text[i:i+len(content)] == content && i < at && at < i+len(content) {
				return true
			}
		}
	}
	return false
}
