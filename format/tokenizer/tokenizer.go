// Package tokenizer turns text into token ids and back: byte-level BPE as Hugging Face's
// tokenizer.json describes it. It knows no model and no template.
//
// Text is split into pieces (words with their leading space, numbers, punctuation, white
// space; the rule is part of the file), and the bytes of each piece are merged, best rank
// first, until no pair of neighbours has a merge. Any string of bytes can be encoded and
// comes back as it was.
//
//	t, err := tokenizer.Load("models/pebble/tokenizer.json")
//	ids, err := t.Encode("Hello there.")   // ordinary text, whatever it spells
//	bos, ok := t.Special("<|bos|>")        // the only way to a special token
//	s := t.Decode(ids)
//
// Special tokens never come from text: "<|eos|>" in a user's prompt is seven ordinary
// characters. A template puts special tokens in by id.
//
// Sennrich, Haddow & Birch 2016, arXiv:1508.07909; byte level: GPT-2.
package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Tokenizer is a loaded tokenizer.json. It does not change and may be used from several
// goroutines.
type Tokenizer struct {
	split    []splitter
	added    []addedToken // ordinary text tokens that are cut out before splitting
	bytes    [][]byte     // of each id; nil where no token has the id
	special  map[string]int32
	isSpec   []bool           // by id
	byteID   [256]int32       // id of each single byte
	merges   mergeTable       // (left id, right id) → rank, merged id
	whole    map[string]int32 // pieces that are known to end as one token
	prefixed bool             // add_prefix_space
}

// VocabSize is one more than the largest id.
func (t *Tokenizer) VocabSize() int { return len(t.bytes) }

// Special returns the id of a special token, such as "<|eos|>".
func (t *Tokenizer) Special(content string) (id int32, ok bool) {
	id, ok = t.special[content]
	return id, ok
}

// IsSpecial reports whether id is a special token: one that no text encodes to and that
// Decode leaves out.
func (t *Tokenizer) IsSpecial(id int32) bool {
	return id >= 0 && int(id) < len(t.isSpec) && t.isSpec[id]
}

// Encode returns the ids of text. It returns an error only if the file's own splitting
// pattern runs away on this text (SplitTimeout).
func (t *Tokenizer) Encode(text string) ([]int32, error) {
	return t.AppendEncode(make([]int32, 0, len(text)/3+1), text)
}

// AppendEncode is Encode that appends to ids.
func (t *Tokenizer) AppendEncode(ids []int32, text string) ([]int32, error) {
	find := newAddedFinder(t.added, text)
	var err error
	for at := 0; at < len(text); {
		end, token := find.next(at)
		if ids, err = t.appendSection(ids, text[at:end]); err != nil {
			return nil, err
		}
		at = end
		if token != nil {
			ids = append(ids, token.id)
			at += len(token.content)
		}
	}
	return ids, nil
}

// addedToken is a token that is cut out of the text before it is split.
type addedToken struct {
	content string
	id      int32
}

// addedFinder finds added tokens in a text from left to right, the longest where several
// begin. It remembers where each comes next, so that a text is searched once for each.
type addedFinder struct {
	text   string
	tokens []addedToken // longest first
	at     []int        // next occurrence of each, len(text) if none
}

func newAddedFinder(tokens []addedToken, text string) *addedFinder {
	f := &addedFinder{text: text, tokens: tokens, at: make([]int, len(tokens))}
	for i := range f.at {
		f.at[i] = -1
	}
	return f
}

// next returns the first added token at or after from, or len(text) and nil.
func (f *addedFinder) next(from int) (at int, token *addedToken) {
	at = len(f.text)
	for i := range f.tokens {
		if f.at[i] < from {
			f.at[i] = len(f.text)
			if j := strings.Index(f.text[from:], f.tokens[i].content); j >= 0 {
				f.at[i] = from + j
			}
		}
		if f.at[i] < at {
			at, token = f.at[i], &f.tokens[i]
		}
	}
	return at, token
}

// appendSection encodes text that holds no added token.
func (t *Tokenizer) appendSection(ids []int32, text string) ([]int32, error) {
	if text == "" {
		return ids, nil
	}
	if t.prefixed && text[0] != ' ' {
		text = " " + text
	}
	return t.appendSplit(ids, text, t.split)
}

// appendSplit applies the first splitter and recurses into its pieces with the others.
func (t *Tokenizer) appendSplit(ids []int32, text string, rest []splitter) ([]int32, error) {
	if len(rest) == 0 {
		return t.appendPiece(ids, text), nil
	}
	err := rest[0].each(text, func(piece string) error {
		var err error
		ids, err = t.appendSplit(ids, piece, rest[1:])
		return err
	})
	return ids, err
}

// Decode returns the text of ids. Special tokens and ids that do not exist are left out;
// bytes that are not UTF-8, which a model may well produce, become U+FFFD.
func (t *Tokenizer) Decode(ids []int32) string {
	var b []byte
	for _, id := range ids {
		b = append(b, t.tokenBytes(id)...)
	}
	return strings.ToValidUTF8(string(b), string(utf8.RuneError))
}

// Token returns the bytes that id stands for, which need not be UTF-8 on their own; nil for
// special tokens and ids that do not exist. The caller must not change them.
func (t *Tokenizer) Token(id int32) []byte { return t.tokenBytes(id) }

func (t *Tokenizer) tokenBytes(id int32) []byte {
	if id < 0 || int(id) >= len(t.bytes) || t.isSpec[id] {
		return nil
	}
	return t.bytes[id]
}

// Decoder decodes a stream of ids and emits only whole characters: a character may take
// several tokens. The zero value is not usable; call NewDecoder.
type Decoder struct {
	t    *Tokenizer
	tail []byte // the beginning of a character, at most 3 bytes
}

// NewDecoder returns a Decoder for one stream.
func (t *Tokenizer) NewDecoder() *Decoder { return &Decoder{t: t} }

// Push takes the next id and returns the text that is now certain, which may be "". Bytes
// that cannot become UTF-8 are returned as U+FFFD.
func (d *Decoder) Push(id int32) string {
	b := append(d.tail, d.t.tokenBytes(id)...)
	end := wholeRunes(b)
	out := strings.ToValidUTF8(string(b[:end]), string(utf8.RuneError))
	d.tail = append(d.tail[:0], b[end:]...)
	return out
}

// Flush returns what is left at the end of a stream: U+FFFD if it broke off inside a
// character, else "".
func (d *Decoder) Flush() string {
	if len(d.tail) == 0 {
		return ""
	}
	d.tail = d.tail[:0]
	return string(utf8.RuneError)
}

// wholeRunes returns the length of b without a character that has only begun.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

// String describes the tokenizer for logs.
func (t *Tokenizer) String() string {
	return fmt.Sprintf("byte-level BPE, %d ids, %d special", len(t.bytes), len(t.special))
}
