// Package tokenizer turns text into token ids and back, as Hugging Face's tokenizer.json
// describes it. It knows no model and no chat template.
//
//	                     the added tokens are cut out
//	text ─► sections ─► normalizers ─► added tokens, again ─► pre-tokenizers ─► model ─► ids
//	                    (NFC, …)                              (pieces: words)   (BPE, Unigram, …)
//
// Ids, and the text that they decode to, equal those of Hugging Face's tokenizers 0.23, bit
// for bit, for every component that is known; a file with another one is refused by its name.
// What differs is deliberate: truncation, padding and dropout are ignored, and text never
// becomes a special token unless the caller says that it may.
//
//	t, err := tokenizer.Load("models/pebble/tokenizer.json")
//	ids, err := t.Encode("Hello there.")   // ordinary text, whatever it spells
//	bos, ok := t.Special("<|bos|>")        // one way to a special token
//	ids, err = t.EncodeWithSpecials("<|bos|>Hello") // another, for text that we wrote
//	s := t.Decode(ids)
//
// Special tokens never come from text: "<|eos|>" in a user's prompt is seven ordinary
// characters. A template puts special tokens in by id, or by EncodeSegments.
//
// Byte-level tokenizers encode any string of bytes; others read what is not UTF-8 as U+FFFD.
package tokenizer

import (
	"cmp"
	"context"
	"fmt"
	"strings"
)

// Tokenizer is a loaded tokenizer.json. It does not change and may be used from several
// goroutines, but for one that Within returns.
type Tokenizer struct {
	kind            string // model.type
	added           *addedTokens
	normalizers     []normalizer
	addedNormalized *addedTokens
	stages          []stage
	model           model
	raw             bool // the model reads bytes: text need not be UTF-8
	limit           int  // tokens that a text may have; 0 is any number
	longest         int  // bytes of a piece that a token can take; 0 if not known
	alwaysTracked   bool // a stage asks where in the text it is
	frame           []part
	steps           []stepMaker
	work            *work // of a request; nil: each text has its own

	reach     int      // one more than the largest id that text becomes
	content   []string // of each id, as the file writes it
	exists    []bool
	bytes     [][]byte // of each id: what it stands for inside a text
	special   map[string]int32
	isSpecial []bool
}

// VocabSize is one more than the largest id.
func (t *Tokenizer) VocabSize() int { return len(t.content) }

// Reach is one more than the largest id that a text becomes. Special tokens may lie beyond it:
// the small Gemma 3s have one more, for pictures, than their embedding has rows.
func (t *Tokenizer) Reach() int { return t.reach }

// Special returns the id of a special token, such as "<|eos|>".
func (t *Tokenizer) Special(content string) (id int32, ok bool) {
	id, ok = t.special[content]
	return id, ok
}

// IsSpecial reports whether id is a special token: one that Decode leaves out, and that no
// text encodes to, except the one for unknown characters.
func (t *Tokenizer) IsSpecial(id int32) bool {
	return id >= 0 && int(id) < len(t.isSpecial) && t.isSpecial[id]
}

func (t *Tokenizer) has(id int32) bool {
	return id >= 0 && int(id) < len(t.exists) && t.exists[id]
}

// Token returns the bytes that id stands for inside a text, which need not be UTF-8 on their
// own; nil for special tokens and ids that do not exist. The caller must not change them.
func (t *Tokenizer) Token(id int32) []byte {
	if !t.has(id) {
		return nil
	}
	return t.bytes[id]
}

// Decode returns the text of ids. Special tokens and ids that do not exist are left out;
// bytes that are not UTF-8, which a model may well produce, become U+FFFD.
func (t *Tokenizer) Decode(ids []int32) string {
	d := t.NewDecoder()
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(d.Push(id))
	}
	b.WriteString(d.Flush())
	return b.String()
}

// Decoder decodes a stream of ids and emits only whole characters: a character may take
// several tokens. What it emits is, joined together, what Decode returns for all ids. The
// zero value is not usable; call NewDecoder.
type Decoder struct {
	t     *Tokenizer
	work  *work
	steps []step
	next  []func(string) // next[i] takes what step i-1 passes on; next[0] takes tokens
	out   []byte
}

// NewDecoder returns a Decoder for one stream.
func (t *Tokenizer) NewDecoder() *Decoder {
	d := &Decoder{t: t, work: newWork(context.Background()), next: make([]func(string), len(t.steps)+1)}
	d.work.watch.exact = true // a stream lasts: what its patterns take is measured from the first token on
	for _, s := range t.steps {
		d.steps = append(d.steps, s.make(d.work))
	}
	d.next[len(d.steps)] = func(s string) {
		if d.pays(len(d.out) + len(s)) {
			d.out = append(d.out, s...)
		}
	}
	for i, s := range d.steps {
		d.next[i] = func(token string) {
			if d.pays(len(token)) {
				s.push(token, d.next[i+1])
			}
		}
	}
	return d
}

// pays reports whether a step may have n bytes more; never again once it may not.
func (d *Decoder) pays(n int) bool {
	if d.work.failed == nil {
		d.work.failed = cmp.Or(d.work.fits(n), d.work.spend(n))
	}
	return d.work.failed == nil
}

// Err returns a *CostError if the file makes too much of the tokens, or takes too long for them: then
// Push and Flush return nothing more.
func (d *Decoder) Err() error { return d.work.failed }

// Push takes the next id and returns the text that is now certain, which may be "". Bytes
// that cannot become UTF-8 are returned as U+FFFD.
func (d *Decoder) Push(id int32) string {
	d.out = d.out[:0]
	if d.t.has(id) && !d.t.IsSpecial(id) {
		d.work.grow(len(d.t.content[id]) + tokenWork)
		d.next[0](d.t.content[id])
	}
	return string(d.out)
}

// Flush returns what is left at the end of a stream, with U+FFFD for a character that breaks
// off. The Decoder is then as new.
func (d *Decoder) Flush() string {
	d.out = d.out[:0]
	for i, s := range d.steps {
		s.flush(d.next[i+1])
	}
	return string(d.out)
}

// String describes the tokenizer for logs.
func (t *Tokenizer) String() string {
	kind := t.kind
	if t.raw {
		kind = "byte-level " + kind
	}
	return fmt.Sprintf("%s, %d ids, %d special", kind, len(t.content), len(t.special))
}
