package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// patternBytesMax is the longest pattern compiled; the longest published have some 300 bytes.
const patternBytesMax = 16 << 10

// span is a part of a text that a pattern matches, or what lies between two matches.
type span struct {
	start, end int
	match      bool
}

// finder divides a text that is not empty into spans that together are the text.
type finder interface {
	find(text string, spans []span, w *work) ([]span, error)
}

// newFinder returns the fastest finder for a pattern of the file.
func newFinder(p pattern) (finder, error) {
	switch {
	case p.String != nil && p.Regex == nil:
		return stringFinder(*p.String), nil
	case p.Regex == nil || p.String != nil:
		return nil, fmt.Errorf("pattern is neither a String nor a Regex")
	case len(*p.Regex) > patternBytesMax:
		return nil, fmt.Errorf("pattern has %d bytes, more than %d", len(*p.Regex), patternBytesMax)
	}
	if rule, ok := knownPatterns[*p.Regex]; ok {
		return ruleFinder{rule, classes{bmpClass()}}, nil
	}
	return newRegexFinder(*p.Regex)
}

// newCharacters is what a property of a pattern has in the reference and not in Go: Unicode 16.
// Its few modifier letters count as other letters.
var newCharacters = map[string][]*unicode.RangeTable{
	`\p{L}`: {newLetters}, `\p{Lu}`: {newUpper}, `\p{Ll}`: {newLower}, `\p{Lo}`: {newLetters, newUpper, newLower},
	`\p{N}`: {newNumbers}, `\p{M}`: {newMarks},
}

// withNewCharacters returns a pattern whose properties have their newCharacters.
func withNewCharacters(pattern string) string {
	var b strings.Builder
	class := false // inside [ ]
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			n := strings.IndexByte(pattern[i:], '}') + 1
			if tables, ok := newCharacters[pattern[i:i+n]]; ok {
				b.WriteString(property(pattern[i:i+n], tables, class))
				i += n - 1
				continue
			}
			if i+1 < len(pattern) {
				b.WriteByte(c)
				i++
			}
		case c == '[':
			class = true
		case c == ']':
			class = false
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// property writes a property with what it has more: the first table without those after it.
func property(name string, tables []*unicode.RangeTable, class bool) string {
	for _, r := range tables[0].R32 {
		for c := rune(r.Lo); c <= rune(r.Hi); c++ {
			if unicode.In(c, tables[1:]...) {
				continue
			}
			end := c
			for end < rune(r.Hi) && !unicode.In(end+1, tables[1:]...) {
				end++
			}
			name += string(c) + "-" + string(end)
			c = end
		}
	}
	if class {
		return name
	}
	return "[" + name + "]"
}

// ruleFinder is a pattern by hand, one that matches everything: rule returns the end of the
// first match in a text that is not empty.
type ruleFinder struct {
	rule func(c classes, text string) int
	classes
}

func (f ruleFinder) find(text string, spans []span, _ *work) ([]span, error) {
	for at := 0; at < len(text); {
		end := at + f.rule(f.classes, text[at:])
		spans = append(spans, span{at, end, true})
		at = end
	}
	return spans, nil
}

func appendGap(spans []span, start, end int) []span {
	if start < end {
		return append(spans, span{start, end, false})
	}
	return spans
}

// stringFinder finds a text that is not a pattern. The empty one is between all characters.
type stringFinder string

func (f stringFinder) find(text string, spans []span, _ *work) ([]span, error) {
	at := 0
	for at <= len(text) {
		i := strings.Index(text[at:], string(f))
		if i < 0 {
			break
		}
		if f == "" { // as a pattern that matches nothing: at every character's beginning, and at the end
			spans = append(spans, span{at, at, true})
			_, i = utf8.DecodeRuneInString(text[at:])
			spans = appendGap(spans, at, at+i)
			at += max(i, 1)
			continue
		}
		spans = appendGap(spans, at, at+i)
		at += i + len(f)
		spans = append(spans, span{at - len(f), at, true})
	}
	return appendGap(spans, at, len(text)), nil
}

// charFinder finds single characters.
type charFinder func(r rune) bool

func (f charFinder) find(text string, spans []span, _ *work) ([]span, error) {
	at := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if f(r) {
			spans = append(appendGap(spans, at, i), span{i, i + size, true})
			at = i + size
		}
		i += size
	}
	return appendGap(spans, at, len(text)), nil
}

// wordFinder finds \w+|[^\w\s]+: runs of one kind that is not white space.
type wordFinder struct{ classes }

func (f wordFinder) kind(s string, i int) (kind, size int) {
	r, size := utf8.DecodeRuneInString(s[i:])
	if isWord(r) {
		return 1, size
	}
	if c, _ := f.at(s, i); c == space || c == newline {
		return 0, size
	}
	return 2, size
}

func (f wordFinder) find(text string, spans []span, _ *work) ([]span, error) {
	for at := 0; at < len(text); {
		kind, size := f.kind(text, at)
		end := at + size
		for end < len(text) {
			k, size := f.kind(text, end)
			if k != kind {
				break
			}
			end += size
		}
		spans = append(spans, span{at, end, kind != 0})
		at = end
	}
	return spans, nil
}

// behavior is what becomes of matches: they are delimiters.
type behavior string

const (
	removed            behavior = "Removed"
	isolated           behavior = "Isolated"
	mergedWithPrevious behavior = "MergedWithPrevious"
	mergedWithNext     behavior = "MergedWithNext"
	contiguous         behavior = "Contiguous"
)

func (b behavior) check() error {
	switch b {
	case removed, isolated, mergedWithPrevious, mergedWithNext, contiguous:
		return nil
	}
	return fmt.Errorf("behavior %q is not known", string(b))
}

// apply returns the spans to go on with, in the same memory. A merging behaviour takes a
// match that does not follow another match.
func (b behavior) apply(spans []span) []span {
	switch b {
	case removed:
		return filterSpans(spans)
	case contiguous:
		return joinSpans(spans, func(last, s span) bool { return last.match == s.match })
	case mergedWithPrevious:
		return joinSpans(spans, func(last, s span) bool { return s.match && !last.match })
	case mergedWithNext:
		return mergeNext(spans)
	}
	return spans
}

func filterSpans(spans []span) []span {
	kept := spans[:0]
	for _, s := range spans {
		if !s.match {
			kept = append(kept, s)
		}
	}
	return kept
}

// joinSpans joins each span to the one before it where join says so of the two as they were
// found.
func joinSpans(spans []span, join func(last, s span) bool) []span {
	out := spans[:0]
	var last span
	for i, s := range spans {
		if i > 0 && join(last, s) {
			out[len(out)-1].end = s.end
		} else {
			out = append(out, s)
		}
		last = s
	}
	return out
}

// mergeNext joins a match to the span after it, unless that is a match too.
func mergeNext(spans []span) []span {
	out := spans[:0]
	for i := 0; i < len(spans); i++ {
		s := spans[i]
		if s.match && i+1 < len(spans) && !spans[i+1].match {
			i++
			s.end = spans[i].end
		}
		out = append(out, s)
	}
	return out
}
