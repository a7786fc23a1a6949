package tokenizer

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// FileBytesMax is the longest tokenizer.json read; Llama-3's, among the largest, has 9 MB.
const FileBytesMax = 64 << 20

// VocabMax is the most ids; the largest published vocabularies have about 262,000.
const VocabMax = 1 << 20

// The parts of tokenizer.json that matter here.
type file struct {
	AddedTokens []struct {
		ID         int32  `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Special    bool   `json:"special"`
	} `json:"added_tokens"`
	Normalizer   *typed        `json:"normalizer"`
	PreTokenizer *preTokenizer `json:"pre_tokenizer"`
	Model        struct {
		Type         string           `json:"type"`
		Dropout      *float64         `json:"dropout"`
		Prefix       *string          `json:"continuing_subword_prefix"`
		Suffix       *string          `json:"end_of_word_suffix"`
		ByteFallback bool             `json:"byte_fallback"`
		IgnoreMerges bool             `json:"ignore_merges"`
		Vocab        map[string]int32 `json:"vocab"`
		Merges       []pair           `json:"merges"`
	} `json:"model"`
}

type typed struct {
	Type string `json:"type"`
}

type preTokenizer struct {
	Type           string         `json:"type"`
	PreTokenizers  []preTokenizer `json:"pretokenizers"`
	AddPrefixSpace bool           `json:"add_prefix_space"`
	UseRegex       *bool          `json:"use_regex"`
	Individual     bool           `json:"individual_digits"`
	Behavior       string         `json:"behavior"`
	Invert         bool           `json:"invert"`
	Pattern        struct {
		Regex  *string `json:"Regex"`
		String *string `json:"String"`
	} `json:"pattern"`
}

// pair is a merge, which older files write as "a b" and newer ones as ["a","b"].
type pair [2]string

func (p *pair) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[2]string)(p))
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	left, right, ok := strings.Cut(s, " ")
	if !ok {
		return fmt.Errorf("merge %q is not a pair", s)
	}
	*p = pair{left, right}
	return nil
}

// Load reads a tokenizer.json. It returns an error that names the file and what in it is
// wrong or not supported.
func Load(path string) (*Tokenizer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, FileBytesMax+1))
	if err != nil {
		return nil, err
	}
	t, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse is Load for a file in memory.
func Parse(b []byte) (*Tokenizer, error) {
	if len(b) > FileBytesMax {
		return nil, fmt.Errorf("longer than %d bytes", FileBytesMax)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	if err := f.checkSupported(); err != nil {
		return nil, err
	}
	t := &Tokenizer{special: map[string]int32{}, whole: map[string]int32{}}
	for _, step := range []func(*file) error{t.readVocab, t.readAdded, t.readMerges, t.readSplit} {
		if err := step(&f); err != nil {
			return nil, err
		}
	}
	t.findWhole(f.Model.IgnoreMerges)
	return t, nil
}

func (f *file) checkSupported() error {
	m := f.Model
	switch {
	case m.Type != "BPE":
		return fmt.Errorf("model.type %q is not supported: only byte-level BPE is", m.Type)
	case m.ByteFallback:
		return fmt.Errorf("model.byte_fallback (SentencePiece) is not supported: only byte-level BPE is")
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("model.dropout %g is not supported: set it to null", *m.Dropout)
	case m.Prefix != nil && *m.Prefix != "":
		return fmt.Errorf("model.continuing_subword_prefix %q is not supported", *m.Prefix)
	case m.Suffix != nil && *m.Suffix != "":
		return fmt.Errorf("model.end_of_word_suffix %q is not supported", *m.Suffix)
	case f.Normalizer != nil:
		return fmt.Errorf("normalizer %s is not supported", f.Normalizer.Type)
	}
	return nil
}

func (t *Tokenizer) readVocab(f *file) error {
	for token, id := range f.Model.Vocab {
		if err := t.setToken(id, decodeByteLevel(token)); err != nil {
			return fmt.Errorf("model.vocab %q: %w", token, err)
		}
	}
	for i := range t.byteID {
		id, ok := f.Model.Vocab[string(byteRune[i])]
		if !ok {
			return fmt.Errorf("model.vocab lacks byte 0x%02X (%q): it is not byte-level", i, byteRune[i])
		}
		t.byteID[i] = id
	}
	return nil
}

func (t *Tokenizer) setToken(id int32, b []byte) error {
	if id < 0 || id >= VocabMax {
		return fmt.Errorf("id %d is not below %d", id, VocabMax)
	}
	if n := int(id) + 1; n > len(t.bytes) {
		t.bytes = append(t.bytes, make([][]byte, n-len(t.bytes))...)
		t.isSpec = append(t.isSpec, make([]bool, n-len(t.isSpec))...)
	}
	if t.bytes[id] != nil && string(t.bytes[id]) != string(b) {
		return fmt.Errorf("id %d is also %q", id, t.bytes[id])
	}
	t.bytes[id] = b
	return nil
}

func (t *Tokenizer) readAdded(f *file) error {
	for _, a := range f.AddedTokens {
		if a.Content == "" {
			return fmt.Errorf("added token %d has no content", a.ID)
		}
		if id, ok := f.Model.Vocab[a.Content]; ok && id != a.ID {
			return fmt.Errorf("added token %q is %d in added_tokens and %d in model.vocab", a.Content, a.ID, id)
		} else if ok {
			t.bytes[id] = nil // which the vocabulary has read as byte-level
		}
		if err := t.setToken(a.ID, []byte(a.Content)); err != nil {
			return fmt.Errorf("added token %q: %w", a.Content, err)
		}
		if a.Special {
			t.special[a.Content] = a.ID
			t.isSpec[a.ID] = true
			continue
		}
		if a.SingleWord || a.LStrip || a.RStrip {
			return fmt.Errorf("added token %q: single_word, lstrip and rstrip are not supported", a.Content)
		}
		t.added = append(t.added, addedToken{a.Content, a.ID})
	}
	slices.SortFunc(t.added, func(a, b addedToken) int {
		if d := len(b.content) - len(a.content); d != 0 {
			return d
		}
		return strings.Compare(a.content, b.content)
	})
	return nil
}

func (t *Tokenizer) readMerges(f *file) error {
	t.merges = newMergeTable(len(f.Model.Merges))
	for rank, m := range f.Model.Merges {
		left, okL := f.Model.Vocab[m[0]]
		right, okR := f.Model.Vocab[m[1]]
		id, okM := f.Model.Vocab[m[0]+m[1]]
		if !okL || !okR || !okM {
			return fmt.Errorf("model.merges[%d] %q: its parts or its result are not in model.vocab", rank, m)
		}
		t.merges.add(left, right, int32(rank), id)
	}
	return nil
}

func (t *Tokenizer) readSplit(f *file) error {
	if f.PreTokenizer == nil {
		return fmt.Errorf("pre_tokenizer is missing: it is not byte-level")
	}
	byteLevel, err := t.addSplit(*f.PreTokenizer)
	if err == nil && !byteLevel {
		err = fmt.Errorf("pre_tokenizer has no ByteLevel: it is not byte-level")
	}
	return err
}

// addSplit reports whether p is or holds a ByteLevel.
func (t *Tokenizer) addSplit(p preTokenizer) (byteLevel bool, err error) {
	switch p.Type {
	case "Sequence":
		for _, q := range p.PreTokenizers {
			b, err := t.addSplit(q)
			if err != nil {
				return false, err
			}
			byteLevel = byteLevel || b
		}
		return byteLevel, nil
	case "ByteLevel":
		t.prefixed = t.prefixed || p.AddPrefixSpace
		if p.UseRegex != nil && !*p.UseRegex {
			return true, nil
		}
		return true, t.addPattern(gpt2Pattern)
	case "Digits":
		if !p.Individual {
			return false, t.addPattern(`\p{N}+`)
		}
		t.split = append(t.split, handSplitter(splitDigits))
		return false, nil
	case "Split":
		if p.Behavior != "Isolated" || p.Pattern.Regex == nil && p.Pattern.String == nil {
			return false, fmt.Errorf("pre_tokenizer Split with behavior %q is not supported: only Isolated is", p.Behavior)
		}
		if p.Pattern.Regex != nil {
			return false, t.addPattern(*p.Pattern.Regex)
		}
		return false, t.addPattern(regexp2.Escape(*p.Pattern.String))
	}
	return false, fmt.Errorf("pre_tokenizer %s is not supported", p.Type)
}

func (t *Tokenizer) addPattern(pattern string) error {
	s, err := patternSplitter(pattern)
	if err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	t.split = append(t.split, s)
	return nil
}

// findWhole collects the tokens that a piece with their bytes ends as: nearly all. With
// ignore_merges a piece that is in the vocabulary is that token by definition.
func (t *Tokenizer) findWhole(ignoreMerges bool) {
	whole := make(map[string]int32, len(t.bytes))
	for id, b := range t.bytes {
		if len(b) == 0 || t.isSpec[id] {
			continue
		}
		ids := t.appendPiece(nil, string(b))
		if ignoreMerges || len(ids) == 1 && ids[0] == int32(id) {
			whole[string(b)] = int32(id)
		}
	}
	for _, a := range t.added {
		delete(whole, a.content)
	}
	t.whole = whole
}

// byteRune is the printable character that stands for each byte in the file (GPT-2's
// bytes_to_unicode): itself where it is printable Latin-1, else one from U+0100 on.
var byteRune, runeByte = func() (to [256]rune, from map[rune]byte) {
	from = make(map[rune]byte, 256)
	next := rune(256)
	for i := range to {
		to[i] = rune(i)
		if !(i >= '!' && i <= '~' || i >= 0xa1 && i <= 0xac || i >= 0xae) {
			to[i] = next
			next++
		}
		from[to[i]] = byte(i)
	}
	return to, from
}()

// decodeByteLevel returns the bytes of a token of the vocabulary. One with other characters
// (a special token that stands in model.vocab) is taken as it is.
func decodeByteLevel(token string) []byte {
	b := make([]byte, 0, len(token))
	for _, r := range token {
		c, ok := runeByte[r]
		if !ok {
			return []byte(token)
		}
		b = append(b, c)
	}
	return b
}

// EncodeByteLevel returns how a file writes a token with these bytes.
func EncodeByteLevel(b []byte) string {
	r := make([]byte, 0, 2*len(b))
	for _, c := range b {
		r = utf8.AppendRune(r, byteRune[c])
	}
	return string(r)
}
