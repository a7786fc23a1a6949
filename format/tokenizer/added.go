package tokenizer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// jsonAdded is one of the file's added_tokens.
type jsonAdded struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// addedTokens are tokens that are cut out of a text before anything else looks at it.
type addedTokens struct {
	tokens []jsonAdded
	trie   *trie     // of their contents, to their index
	begins [256]bool // bytes that a content begins with
}

func newAddedTokens(tokens []jsonAdded, content func(jsonAdded) string) *addedTokens {
	if len(tokens) == 0 {
		return nil
	}
	total := 0
	for _, a := range tokens {
		total += len(content(a))
	}
	s := &addedTokens{tokens: tokens, trie: newTrie(total)}
	for i, a := range tokens {
		c := content(a)
		s.trie.add(c, int32(i))
		s.begins[c[0]] = true
	}
	return s
}

// added is an added token in a text.
type added struct {
	start, end int // of what it takes, with the white space that it swallows
	id         int32
}

// find calls use for each added token in text, from left to right, the longest where several
// begin. trusted reports whether text[i:j] may be a special token. One that may not, or
// that had to be a single word, is ordinary text, and so is every shorter one inside it.
func (s *addedTokens) find(text string, w *work, trusted func(i, j int) bool, use func(added) error) error {
	done, spaceEnd := 0, 0 // the end of the last one, and of the white space that it swallowed
	for at := 0; s != nil && at < len(text); {
		if !s.begins[text[at]] {
			at++
			continue
		}
		n, i, walked := s.trie.longest(text[at:])
		if err := w.spend(walked); err != nil {
			return err
		}
		if i == noID {
			at++
			continue
		}
		start, end := at, at+n
		at = end
		a := &s.tokens[i]
		if a.Special && !trusted(start, end) || a.SingleWord && !singleWord(text, start, end) {
			continue
		}
		if a.LStrip {
			begin := min(done, start)
			start = begin + len(strings.TrimRightFunc(text[begin:start], unicode.IsSpace))
		}
		if a.RStrip {
			if end >= spaceEnd {
				spaceEnd = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
			}
			end = spaceEnd
		}
		if err := use(added{start, end, a.ID}); err != nil {
			return err
		}
		done = end
	}
	return nil
}

// singleWord reports whether no letter, digit or the like stands beside text[i:j].
func singleWord(text string, i, j int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	after, _ := utf8.DecodeRuneInString(text[j:])
	return !isWord(before) && !isWord(after)
}

// tokenWork is what a token counts beside its bytes, where all tokens are gone through as one text:
// patterns have some microseconds for it.
const tokenWork = 16

// readAdded reads the added tokens. Those that are looked for after normalization are looked
// for as normalization writes them.
func (t *Tokenizer) readAdded(f *file) error {
	var raw, normalized []jsonAdded
	written := map[string]string{}
	total := 0
	for _, a := range f.AddedTokens {
		total += len(a.Content) + tokenWork
	}
	work := newWork(context.Background())
	work.grow(total)
	defer work.watch.stop()
	total = 0
	for _, a := range f.AddedTokens {
		if err := t.checkAdded(a, f.Model.vocab.ids); err != nil {
			return err
		}
		if a.Special {
			t.special[a.Content] = a.ID
			t.isSpecial[a.ID] = true
		}
		w, err := t.normalize(piece{text: a.Content}, work)
		if err != nil {
			return fmt.Errorf("added token %q: %w", a.Content, err)
		}
		if total += len(a.Content) + len(w.text); total > trieBytesMax || len(w.text) > tokenBytesMax*16 {
			return fmt.Errorf("added token %.40q…: too many bytes", a.Content)
		}
		switch {
		case !a.Normalized:
			raw = append(raw, a)
		case w.text == "":
			return fmt.Errorf("added token %q: the normalizer leaves nothing of it", a.Content)
		default:
			written[a.Content] = w.text
			t.content[a.ID] = w.text // so the reference decodes it
			normalized = append(normalized, a)
		}
	}
	byID := func(a, b jsonAdded) int { return cmp.Compare(a.ID, b.ID) }
	slices.SortStableFunc(raw, byID)
	slices.SortStableFunc(normalized, byID)
	t.added = newAddedTokens(raw, func(a jsonAdded) string { return a.Content })
	t.addedNormalized = newAddedTokens(normalized, func(a jsonAdded) string { return written[a.Content] })
	return nil
}

// checkAdded checks one, and sets its content.
func (t *Tokenizer) checkAdded(a jsonAdded, vocab map[string]int32) error {
	switch id, ok := vocab[a.Content]; {
	case a.Content == "":
		return fmt.Errorf("added token %d has no content", a.ID)
	case len(a.Content) > tokenBytesMax:
		return fmt.Errorf("added token %.40q…: %d bytes, more than %d", a.Content, len(a.Content), tokenBytesMax)
	case ok && id != a.ID:
		return fmt.Errorf("added token %q is %d in added_tokens and %d in model.vocab", a.Content, a.ID, id)
	}
	if err := checkID(a.ID); err != nil {
		return fmt.Errorf("added token %q: %w", a.Content, err)
	}
	if err := t.setToken(a.ID, a.Content); err != nil {
		return fmt.Errorf("added token %q: %w", a.Content, err)
	}
	t.isSpecial = append(t.isSpecial, make([]bool, len(t.content)-len(t.isSpecial))...)
	return nil
}
