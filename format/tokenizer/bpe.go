package tokenizer

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe merges neighbours, best rank first, beginning with characters, or with bytes where
// every byte is a token (byte-level, the fast case).
type bpe struct {
	merges mergeTable
	whole  map[string]int32 // pieces that are known to end as one token
	vocab  map[string]int32 // what text may become: no special tokens

	bytes  *[256]int32 // byte-level: the id of each byte; nil: text is read by characters
	ascii  [utf8.RuneSelf]int32
	prefix string // of every character but the first
	suffix string // of the last character
	cut    bool   // no token goes on after a ▁ that follows something else: cutting there changes nothing

	unknown      unknown
	fuseUnknown  bool
	fallback     *byteTokens // nil: none
	ignoreMerges bool        // a piece that is in vocab is that token
}

// tokens appends the tokens of a piece.
func (m *bpe) tokens(out *output, text string) error {
	if id, ok := m.whole[text]; ok {
		out.add(id, len(text))
		return nil
	}
	if m.ignoreMerges {
		if id, ok := m.vocab[text]; ok {
			out.add(id, len(text))
			return nil
		}
	}
	if !m.cut {
		return m.merge(out, text, 0)
	}
	at := 0
	for at < len(text) {
		end := at + nextMeta(text[at:])
		part := text[at:end]
		if id, ok := m.whole[part]; ok {
			out.add(id, end)
		} else if err := m.merge(out, part, at); err != nil {
			return err
		}
		at = end
	}
	return nil
}

const meta = "▁"

// nextMeta returns where the first ▁ is that follows something else, or len(s).
func nextMeta(s string) int {
	at := 0
	for strings.HasPrefix(s[at:], meta) {
		at += len(meta)
	}
	if i := strings.Index(s[at:], meta); i >= 0 {
		return at + i
	}
	return len(s)
}

// merge appends the tokens of text, which begins at byte base of the piece.
func (m *bpe) merge(out *output, text string, base int) error {
	out.symbols = out.symbols[:0]
	if m.bytes != nil {
		for i := range len(text) {
			out.symbols = append(out.symbols, symbol{m.bytes[text[i]], 1})
		}
	} else if err := m.characters(out, text); err != nil {
		return err
	}
	if len(out.symbols) >= longPiece {
		out.symbols = mergeLong(&m.merges, out.symbols)
	} else {
		out.symbols = mergeShort(&m.merges, out.symbols)
	}
	for _, s := range out.symbols {
		base += int(s.size)
		out.add(s.id, base)
	}
	return nil
}

// characters appends the symbol of every character of text.
func (m *bpe) characters(out *output, text string) error {
	pending := symbol{id: noID} // unknown characters
	if n := len(m.prefix) + len(m.suffix); n > 0 {
		if err := out.work.spend(utf8.RuneCountInString(text) * n); err != nil {
			return err
		}
	}
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRuneInString(text[i:])
		id, known := m.character(text, i, size)
		switch {
		case known:
			out.flush(&pending)
			out.symbols = append(out.symbols, symbol{id, int32(size)})
		case m.fallback != nil && m.fallback.has(m.spell(text, i, size)):
			for _, b := range []byte(m.spell(text, i, size)) {
				out.symbols = append(out.symbols, symbol{m.fallback[b], 1})
			} // and pending stays where it is: the reference has it so
		case m.unknown.content == "":
		case m.unknown.id == noID:
			return m.unknown.err(text[i : i+size])
		case pending.id != noID && m.fuseUnknown:
			pending.size += int32(size)
		default:
			out.flush(&pending)
			pending = symbol{m.unknown.id, int32(size)}
		}
		i += size
	}
	out.flush(&pending)
	return nil
}

func (o *output) flush(pending *symbol) {
	if pending.id != noID {
		o.symbols = append(o.symbols, *pending)
		pending.id = noID
	}
}

// character returns the id of the character at i, as it is spelt at its place.
func (m *bpe) character(text string, i, size int) (id int32, known bool) {
	if m.prefix == "" && m.suffix == "" {
		if text[i] < utf8.RuneSelf {
			id = m.ascii[text[i]]
			return id, id != noID
		}
		id, known = m.vocab[text[i:i+size]]
		return id, known
	}
	id, known = m.vocab[m.spell(text, i, size)]
	return id, known
}

// spell returns how the vocabulary writes the character at i of text.
func (m *bpe) spell(text string, i, size int) string {
	s := text[i : i+size]
	if i > 0 {
		s = m.prefix + s
	}
	if i+size == len(text) {
		s += m.suffix
	}
	return s
}

// readBPE returns the model of a file whose pieces come as bytes if byteLevel, and whether it
// takes them so: else they must be rewritten by byteStage.
func readBPE(j *jsonModel, hidden map[string]bool, byteLevel bool) (m *bpe, takesBytes bool, err error) {
	m = &bpe{
		prefix: deref(j.Prefix), suffix: deref(j.Suffix), fuseUnknown: j.FuseUnk, ignoreMerges: j.IgnoreMerges,
		unknown: unknown{content: deref(j.UnkToken), id: noID},
	}
	if id, ok := j.vocab.ids[m.unknown.content]; ok {
		m.unknown.id = id
	}
	takesBytes = byteLevel && m.prefix == "" && m.suffix == "" && m.readBytes(j.vocab.ids, hidden)
	m.readVocab(j.vocab.ids, hidden, takesBytes)
	if j.ByteFallback {
		m.fallback = newByteTokens(j.vocab.ids)
	}
	if err := m.readMerges(j, hidden); err != nil {
		return nil, false, err
	}
	return m, takesBytes, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// readBytes reports whether every byte is a token.
func (m *bpe) readBytes(vocab map[string]int32, hidden map[string]bool) bool {
	var ids [256]int32
	for b := range ids {
		token := string(byteRune[b])
		id, ok := vocab[token]
		if !ok || hidden[token] {
			return false
		}
		ids[b] = id
	}
	m.bytes = &ids
	return true
}

func (m *bpe) readVocab(vocab map[string]int32, hidden map[string]bool, asBytes bool) {
	m.vocab = make(map[string]int32, len(vocab))
	for token, id := range vocab {
		if hidden[token] {
			continue
		}
		if asBytes {
			b, ok := decodeByteLevel(token)
			if !ok {
				continue // no text becomes this token
			}
			token = string(b)
		}
		m.vocab[token] = id
	}
	for c := range m.ascii {
		m.ascii[c] = noID
		if id, ok := m.vocab[string(rune(c))]; ok {
			m.ascii[c] = id
		}
	}
}

func (m *bpe) readMerges(j *jsonModel, hidden map[string]bool) error {
	merges, err := readPairs(j.Merges)
	if err != nil {
		return fmt.Errorf("model.merges%w", err)
	}
	j.Merges = nil
	m.merges = newMergeTable(len(merges))
	_, m.cut = j.vocab.ids[meta]
	m.cut = m.cut && m.bytes == nil && m.prefix == "" && m.suffix == "" && !hidden[meta]
	for rank, pair := range merges {
		left, okL := j.vocab.ids[pair[0]]
		right, okR := j.vocab.ids[pair[1]]
		rest, okP := strings.CutPrefix(pair[1], m.prefix)
		if m.prefix != "" && !okP && len(pair[1]) >= len(m.prefix) {
			rest, okP = pair[1][len(m.prefix):], true // the reference cuts so many bytes, whatever they are
		}
		made := pair[0] + rest
		id, okM := j.vocab.ids[made]
		if !okL || !okR || !okM || !okP {
			return fmt.Errorf("model.merges[%d] %q: its parts or its result are not in model.vocab", rank, pair)
		}
		if hidden[made] {
			continue // text never becomes a special token
		}
		m.cut = m.cut && !strings.Contains(strings.TrimLeft(made, meta), meta)
		m.merges.add(left, right, int32(rank), id)
	}
	return nil
}

// findWhole collects the tokens that a piece which spells them ends as: nearly all.
func (m *bpe) findWhole() {
	whole := make(map[string]int32, len(m.vocab))
	out := output{work: newWork(context.Background())}
	out.work.grow(vocabBytes(m.vocab))
	for token, id := range m.vocab {
		if token == "" {
			continue
		}
		out.ids = out.ids[:0]
		if m.merge(&out, token, 0) == nil && len(out.ids) == 1 && out.ids[0] == id {
			whole[token] = id
		}
	}
	m.whole = whole
}

// longest returns the bytes of the longest text that becomes one token, for a model that takes
// bytes: such a one loses none.
func (m *bpe) longest() (n int) {
	for token := range m.vocab {
		n = max(n, len(token))
	}
	return n
}
