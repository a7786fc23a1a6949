package tokenizer

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// unigram finds the tokens whose scores, logarithms of probabilities, have the greatest sum.
// Kudo 2018, arXiv:1804.10959, by Viterbi's algorithm.
type unigram struct {
	trie       *trie
	scores     []float64 // by id
	unknown    int32     // noID: none
	unkScore   float64
	fallback   *byteTokens
	vocabulary map[string]int32
}

// unknownPenalty is how far below the worst token an unknown character scores (SentencePiece).
const unknownPenalty = 10

// tokenBytesMax is the longest token of a unigram model, and the longest added token: it
// bounds the time that a place in a text takes. The longest published have some 200 bytes.
const tokenBytesMax = 1024

func readUnigram(j *jsonModel, hidden map[string]bool) (*unigram, error) {
	m := &unigram{unknown: noID, scores: j.vocab.scores, vocabulary: j.vocab.ids}
	if j.UnkID != nil {
		if *j.UnkID < 0 || *j.UnkID >= len(m.scores) {
			return nil, fmt.Errorf("model.unk_id %d is not below the vocabulary's size, %d", *j.UnkID, len(m.scores))
		}
		m.unknown = int32(*j.UnkID)
	}
	total := 0
	for token := range j.vocab.ids {
		if len(token) > tokenBytesMax {
			return nil, fmt.Errorf("model.vocab %.40q…: %d bytes, more than %d", token, len(token), tokenBytesMax)
		}
		total += len(token)
	}
	if total > trieBytesMax {
		return nil, fmt.Errorf("model.vocab: tokens of %d bytes, more than %d", total, trieBytesMax)
	}
	m.trie = newTrie(total)
	for token, id := range j.vocab.ids {
		if token != "" && (!hidden[token] || id == m.unknown) {
			m.trie.add(token, id)
		}
	}
	if len(m.scores) > 0 {
		m.unkScore = slices.Min(m.scores) - unknownPenalty
	}
	if j.ByteFallback {
		m.fallback = newByteTokens(j.vocab.ids)
	}
	return m, nil
}

// arc is the best way to a place of the text: the last token of it.
type arc struct {
	score float64
	start int32 // noID: there is no way yet
	id    int32
}

func (m *unigram) tokens(out *output, text string) error {
	best := make([]arc, len(text)+1)
	for i := range best {
		best[i].start = noID
	}
	best[0].score = 0
	for at := 0; at < len(text); {
		_, size := utf8.DecodeRuneInString(text[at:])
		if err := m.arcs(best, text, at, size, out.work); err != nil {
			return err
		}
		at += size
	}
	m.walk(out, best, text)
	return nil
}

// arcs enters the tokens that begin at a place, whose character has that size.
func (m *unigram) arcs(best []arc, text string, at, size int, w *work) error {
	base, single := best[at].score, false
	node, end := int32(0), at
	for end < len(text) {
		if node = m.trie.step(node, text[end]); node == 0 {
			break
		}
		end++
		if id := m.trie.value[node]; id != noID {
			best[end].improve(base+m.scores[id], at, id)
			single = single || end == at+size
		}
	}
	if err := w.spend(end - at); err != nil || single {
		return err
	}
	if best[at+size].improve(base+m.unkScore, at, m.unknown) && m.unknown == noID {
		return fmt.Errorf("model.unk_id is missing, and no token stands for %q", text[at:at+size])
	}
	return nil
}

// improve reports whether the way by this token is the best so far.
func (a *arc) improve(score float64, start int, id int32) bool {
	better := a.start == noID || score > a.score
	if better {
		*a = arc{score, int32(start), id}
	}
	return better
}

// walk emits the best way from its end, joining unknown neighbours.
func (m *unigram) walk(out *output, best []arc, text string) {
	ends := []int{}
	for at := len(text); at > 0; at = int(best[at].start) {
		if best[at].id != m.unknown || len(ends) == 0 || best[ends[len(ends)-1]].id != m.unknown {
			ends = append(ends, at)
		}
	}
	start := 0
	for _, end := range slices.Backward(ends) {
		m.emit(out, text[start:end], best[end].id, end)
		start = end
	}
}

func (m *unigram) emit(out *output, s string, id int32, end int) {
	if id != m.unknown || m.unknown == noID || m.fallback == nil || !m.fallback.has(s) {
		out.add(id, end)
		return
	}
	if _, ok := m.vocabulary[s]; ok { // the token <unk> itself, spelt in text
		out.add(id, end)
		return
	}
	for i := range len(s) {
		out.add(m.fallback[s[i]], end-len(s)+i+1)
	}
}
