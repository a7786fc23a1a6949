package infer

import (
	"strings"
	"unicode/utf8"
)

// text finds stop sequences in text that comes in pieces. It lets nothing through that is,
// or may yet turn out to be, part of one.
type text struct {
	stop    []string
	held    string // it may be the beginning of a stop sequence
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

// add takes the next text, whole characters, and returns what can be shown. stopped is true
// if a stop sequence is complete: piece is then the text before it, and the last.
func (t *text) add(s string) (piece string, stopped bool) {
	t.held += s
	if i := t.find(); i >= 0 {
		piece, t.held = t.held[:i], ""
		return piece, true
	}
	n := len(t.held) - t.begun()
	piece, t.held = t.held[:n], t.held[n:]
	return piece, false
}

// end returns what is still held back: no stop sequence can be completed any more.
func (t *text) end() string {
	piece := t.held
	t.held = ""
	return piece
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
