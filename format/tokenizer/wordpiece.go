package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// wordPiece takes the longest token from the left, BERT's way; a piece that does not come out
// even is unknown.
type wordPiece struct {
	vocab        map[string]int32
	unknown      unknown
	continuation string // before every token but a piece's first
	charsMax     int    // a longer piece is unknown
	bytesMax     int    // bytes of the longest token
}

// wordCharsMax bounds max_input_chars_per_word, because the time is quadratic; published
// files have 100.
const wordCharsMax = 10_000

func readWordPiece(j *jsonModel, hidden map[string]bool) (*wordPiece, error) {
	m := &wordPiece{vocab: map[string]int32{}, unknown: unknown{"[UNK]", noID}, continuation: "##", charsMax: 100}
	if j.UnkToken != nil {
		m.unknown.content = *j.UnkToken
	}
	if j.Prefix != nil {
		m.continuation = *j.Prefix
	}
	if j.CharsMax != nil {
		m.charsMax = *j.CharsMax
	}
	if m.charsMax < 0 || m.charsMax > wordCharsMax {
		return nil, fmt.Errorf("model.max_input_chars_per_word is %d: at most %d", m.charsMax, wordCharsMax)
	}
	readWords(j, hidden, m.vocab, &m.unknown)
	for token := range m.vocab {
		m.bytesMax = max(m.bytesMax, len(token))
	}
	return m, nil
}

// readWords fills vocab with what text may become.
func readWords(j *jsonModel, hidden map[string]bool, vocab map[string]int32, u *unknown) {
	for token, id := range j.vocab.ids {
		if !hidden[token] {
			vocab[token] = id
		}
	}
	if id, ok := j.vocab.ids[u.content]; ok {
		u.id = id
	}
}

func (m *wordPiece) tokens(out *output, text string) error {
	if utf8.RuneCountInString(text) > m.charsMax {
		return m.unknown.add(out, text)
	}
	n := len(out.ids)
	for at := 0; at < len(text); {
		end, id, tries := m.longest(text, at)
		if err := out.work.spend(tries * (1 + m.bytesMax/16)); err != nil {
			return err
		}
		if id == noID {
			out.ids = out.ids[:n]
			if out.tracked {
				out.ends = out.ends[:0]
			}
			return m.unknown.add(out, text)
		}
		out.add(id, end)
		at = end
	}
	return nil
}

// add appends the unknown token for the whole of a piece.
func (u unknown) add(out *output, text string) error {
	if u.id == noID {
		return u.err(text)
	}
	out.add(u.id, len(text))
	return nil
}

// longest returns the end and the id of the longest token at a place, and how many it has looked up.
func (m *wordPiece) longest(text string, at int) (end int, id int32, tries int) {
	for end = min(len(text), at+m.bytesMax); end < len(text) && end > at && !utf8.RuneStart(text[end]); {
		end--
	}
	for end > at {
		tries++
		key := text[at:end]
		if at > 0 {
			key = m.continuation + key
		}
		if id, ok := m.vocab[key]; ok {
			return end, id, tries
		}
		_, size := utf8.DecodeLastRuneInString(text[at:end])
		end -= size
	}
	return at, noID, tries
}

// wordLevel has a token for every word that it knows.
type wordLevel struct {
	vocab   map[string]int32
	unknown unknown
}

func readWordLevel(j *jsonModel, hidden map[string]bool) *wordLevel {
	m := &wordLevel{map[string]int32{}, unknown{deref(j.UnkToken), noID}}
	readWords(j, hidden, m.vocab, &m.unknown)
	return m
}

func (m *wordLevel) tokens(out *output, text string) error {
	if id, ok := m.vocab[text]; ok {
		out.add(id, len(text))
		return nil
	}
	return m.unknown.add(out, text)
}
