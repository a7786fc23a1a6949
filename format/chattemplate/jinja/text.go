package jinja

import (
	"strings"
	"unicode/utf8"
)

// Mark says where a byte of a Text comes from.
type Mark struct {
	Source int // 0: the template; n: the text that was Given the number n
	Block  int // 0: outside of them; n: the n-th generation block that was rendered
}

// Text is a string whose bytes have marks. The zero value is the empty text.
type Text struct {
	s    string
	runs []run // in order, the last ends with s; nil: everything has the zero mark
}

// run is bytes of one mark: from the end of the run before to end.
type run struct {
	end  int
	mark Mark
}

// Plain returns a text that counts as the template's own. It must be UTF-8.
func Plain(s string) Text { return Text{s: s} }

// Given returns a text with the mark of a source, from 1. Bytes that are not UTF-8 become
// U+FFFD.
func Given(s string, source int) Text {
	return marked(strings.ToValidUTF8(s, string(utf8.RuneError)), Mark{Source: source})
}

func marked(s string, m Mark) Text {
	if s == "" || m == (Mark{}) {
		return Text{s: s}
	}
	return Text{s, []run{{len(s), m}}}
}

// String returns the text without its marks.
func (t Text) String() string { return t.s }

// Runs calls yield for each stretch of the text that has one mark, in order.
func (t Text) Runs(yield func(part string, m Mark) bool) {
	if t.runs == nil && t.s != "" {
		yield(t.s, Mark{})
	}
	from := 0
	for _, r := range t.runs {
		if !yield(t.s[from:r.end], r.mark) {
			return
		}
		from = r.end
	}
}

// slice returns the bytes [from, to).
func (t Text) slice(from, to int) Text {
	if from >= to {
		return Text{}
	}
	out := Text{s: t.s[from:to]}
	at := 0
	for _, r := range t.runs {
		if r.end > from {
			out.runs = append(out.runs, run{min(r.end, to) - from, r.mark})
		}
		if at = r.end; at >= to {
			break
		}
	}
	return out
}

// length returns the number of characters.
func (t Text) length() int { return utf8.RuneCountInString(t.s) }

// offset returns the byte at which character i begins; i is at most length.
func (t Text) offset(i int) int {
	at := 0
	for ; i > 0 && at < len(t.s); i-- {
		_, n := utf8.DecodeRuneInString(t.s[at:])
		at += n
	}
	return at
}

// mapped returns the text with every character replaced by f's text for it, under its mark.
func (t Text) mapped(f func(r rune) string) Text {
	var b builder
	for part, m := range t.Runs {
		var to strings.Builder
		for _, r := range part {
			to.WriteString(f(r))
		}
		b.add(marked(to.String(), m))
	}
	return b.text()
}

// cut returns the pieces of t between the occurrences of sep, at most n+1 of them if n is
// not negative.
func (t Text) cut(sep string, n int) []Text {
	var pieces []Text
	at := 0
	for n != 0 {
		i := strings.Index(t.s[at:], sep)
		if i < 0 {
			break
		}
		pieces = append(pieces, t.slice(at, at+i))
		at += i + len(sep)
		n--
	}
	return append(pieces, t.slice(at, len(t.s)))
}

// trimmed returns t without the characters for which drop holds, at its left and right end.
func (t Text) trimmed(left, right bool, drop func(r rune) bool) Text {
	from, to := 0, len(t.s)
	if left {
		from = to - len(strings.TrimLeftFunc(t.s, drop))
	}
	if right {
		to = from + len(strings.TrimRightFunc(t.s[from:], drop))
	}
	return t.slice(from, to)
}

// builder joins texts.
type builder struct {
	b      strings.Builder
	runs   []run
	marked bool // some run is not the template's
}

func (b *builder) add(t Text) {
	if t.s == "" {
		return
	}
	for part, m := range t.Runs {
		b.b.WriteString(part)
		if n := len(b.runs); n > 0 && b.runs[n-1].mark == m {
			b.runs[n-1].end = b.b.Len()
		} else {
			b.runs = append(b.runs, run{b.b.Len(), m})
		}
		b.marked = b.marked || m != Mark{}
	}
}

func (b *builder) text() Text {
	if !b.marked {
		return Text{s: b.b.String()}
	}
	return Text{b.b.String(), b.runs}
}

// inBlock returns t with the number of a generation block on every byte that has none yet.
func (t Text) inBlock(n int) Text {
	var b builder
	for part, m := range t.Runs {
		if m.Block == 0 {
			m.Block = n
		}
		b.add(marked(part, m))
	}
	return b.text()
}

// joined returns the texts one after another, sep between them.
func joined(texts []Text, sep Text) Text {
	var b builder
	for i, t := range texts {
		if i > 0 {
			b.add(sep)
		}
		b.add(t)
	}
	return b.text()
}
