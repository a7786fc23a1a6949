package infer

import (
	"strings"
	"unicode/utf8"
)

// text turns the bytes of tokens into pieces of text: whole characters only, and nothing
// that is, or may yet turn out to be, part of a stop sequence.
type text struct {
	stop    []string
	bytes   []byte // of a character that is not complete yet
	held    string // decoded, but it may be the beginning of a stop sequence
	longest int    // bytes of the longest stop sequence
}

// newText returns a text that ends before the first of the stop sequences; empty ones are
// ignored.
func newText(stop []string) *text {
	t := &text{}
	for _, s := range stop {
		if s = strings.ToValidUTF8(s, string(utf8.RuneError)); s != "" {
			t.stop = append(t.stop, s)
			t.longest = max(t.longest, len(s))
		}
	}
	return t
}

// add takes the bytes of the next token and returns the text that can be shown. stopped
// is true if a stop sequence is complete: piece is then the text before it, and the last.
func (t *text) add(token []byte) (piece string, stopped bool) {
	t.bytes = append(t.bytes, token...)
	n := completePrefix(t.bytes)
	t.held += strings.ToValidUTF8(string(t.bytes[:n]), string(utf8.RuneError))
	t.bytes = append(t.bytes[:0], t.bytes[n:]...)
	return t.release()
}

// end returns what is still held back: no stop sequence can be completed any more.
// Characters that were begun and not ended become U+FFFD.
func (t *text) end() (piece string, stopped bool) {
	t.held += strings.ToValidUTF8(string(t.bytes), string(utf8.RuneError))
	t.bytes = nil
	piece, stopped = t.release()
	if !stopped {
		piece += t.held
		t.held = ""
	}
	return piece, stopped
}

// release splits the held text where it cannot begin a stop sequence any more.
func (t *text) release() (piece string, stopped bool) {
	if i := t.find(); i >= 0 {
		piece, t.held = t.held[:i], ""
		return piece, true
	}
	n := len(t.held) - t.begun()
	piece, t.held = t.held[:n], t.held[n:]
	return piece, false
}

// find returns where the stop sequence that is complete first begins, -1 if there is none.
// Of two that end together it is the longer. So the answer does not depend on where the
// tokens end.
func (t *text) find() int {
	start, end := -1, len(t.held)+1
	for _, s := range t.stop {
		i := strings.Index(t.held, s)
		if e := i + len(s); i >= 0 && (e < end || e == end && i < start) {
			start, end = i, e
		}
	}
	return start
}

// begun returns the length of the longest end of the held text that begins a stop sequence.
func (t *text) begun() int {
	for n := min(len(t.held), t.longest-1); n > 0; n-- {
		end := t.held[len(t.held)-n:]
		for _, s := range t.stop {
			if strings.HasPrefix(s, end) {
				return n
			}
		}
	}
	return 0
}

// completePrefix returns the length of the longest prefix of b that does not end inside a
// character. Bytes that cannot become one count as complete.
func completePrefix(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if i := len(b) - n; utf8.RuneStart(b[i]) {
			if utf8.FullRune(b[i:]) {
				return len(b)
			}
			return i
		}
	}
	return len(b)
}
