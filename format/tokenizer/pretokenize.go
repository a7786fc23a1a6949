package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// stage is one pre-tokenizer: it divides a piece that is not empty further, and may rewrite
// it.
type stage interface {
	each(p piece, w *work, use func(piece) error) error
}

// jsonPreTokenizer is a pre_tokenizer of the file: the fields of all types.
type jsonPreTokenizer struct {
	Type           string             `json:"type"`
	PreTokenizers  []jsonPreTokenizer `json:"pretokenizers"`
	AddPrefixSpace *bool              `json:"add_prefix_space"`
	UseRegex       *bool              `json:"use_regex"`
	Individual     bool               `json:"individual_digits"`
	Behavior       behavior           `json:"behavior"`
	Invert         bool               `json:"invert"`
	Pattern        pattern            `json:"pattern"`
	Delimiter      string             `json:"delimiter"`
	Replacement    string             `json:"replacement"`
	PrependScheme  string             `json:"prepend_scheme"`
	Split          *bool              `json:"split"`
	Length         *int               `json:"length"`
}

// pattern is what Split and Replace look for.
type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

// nestingMax bounds how deep Sequences may lie in one another; published files have two levels.
const nestingMax = 16

// newStages returns the stages of p in order.
func newStages(p jsonPreTokenizer, depth int) ([]stage, error) {
	if p.Type != "Sequence" {
		s, err := newStage(p)
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer %s: %w", p.Type, err)
		}
		return s, nil
	}
	if depth >= nestingMax {
		return nil, fmt.Errorf("pre_tokenizer Sequence: nested %d deep", depth+1)
	}
	var all []stage
	for _, q := range p.PreTokenizers {
		s, err := newStages(q, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}
	return all, nil
}

func newStage(p jsonPreTokenizer) ([]stage, error) {
	switch p.Type {
	case "ByteLevel":
		return newByteLevel(p)
	case "Metaspace":
		return newMetaspace(p)
	case "Split":
		return newSplit(p)
	case "Digits":
		if p.Individual {
			return []stage{splitStage{charFinder(isDigit), false, isolated}}, nil
		}
		return []stage{splitStage{charFinder(isDigit), false, contiguous}}, nil
	case "Punctuation":
		if p.Behavior == "" {
			p.Behavior = isolated
		}
		return []stage{splitStage{charFinder(isPunctuation), false, p.Behavior}}, p.Behavior.check()
	case "Whitespace":
		return []stage{splitStage{wordFinder{classes{bmpClass()}}, true, removed}}, nil
	case "WhitespaceSplit":
		return []stage{splitStage{charFinder(unicode.IsSpace), false, removed}}, nil
	case "BertPreTokenizer":
		return []stage{splitStage{charFinder(unicode.IsSpace), false, removed},
			splitStage{charFinder(isPunctuation), false, isolated}}, nil
	case "CharDelimiterSplit":
		c, err := oneChar("delimiter", p.Delimiter)
		return []stage{splitStage{stringFinder(c), false, removed}}, err
	case "FixedLength":
		return newFixedLength(p)
	}
	return nil, fmt.Errorf("not supported")
}

func oneChar(field, s string) (string, error) {
	if utf8.RuneCountInString(s) != 1 {
		return "", fmt.Errorf("%s %q is not one character", field, s)
	}
	return s, nil
}

func isFalse(b *bool) bool { return b != nil && !*b }

// splitStage cuts at what it finds, or with invert at what it does not.
type splitStage struct {
	finder
	invert   bool
	behavior behavior
}

func newSplit(p jsonPreTokenizer) ([]stage, error) {
	f, err := newFinder(p.Pattern)
	if err != nil {
		return nil, err
	}
	return []stage{splitStage{f, p.Invert, p.Behavior}}, p.Behavior.check()
}

func (s splitStage) each(p piece, w *work, use func(piece) error) error {
	if r, ok := s.finder.(ruleFinder); ok && s.everyMatch() {
		return r.each(p, use)
	}
	spans, err := s.find(p.text, nil, w)
	if err != nil {
		return err
	}
	if s.invert {
		for i := range spans {
			spans[i].match = !spans[i].match
		}
	}
	for _, sp := range s.behavior.apply(spans) {
		if sp.start == sp.end {
			continue
		}
		if err := use(p.sub(sp.start, sp.end)); err != nil {
			return err
		}
	}
	return nil
}

// everyMatch reports whether each match of a pattern that matches everything is a piece.
func (s splitStage) everyMatch() bool {
	return s.behavior == isolated || s.behavior == removed && s.invert
}

// each is find, one span after the other: what nearly all text of nearly all models goes through.
func (f ruleFinder) each(p piece, use func(piece) error) error {
	for at := 0; at < len(p.text); {
		end := at + f.rule(f.classes, p.text[at:])
		if err := use(p.sub(at, end)); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// prefixStage puts a space before a piece that has none: ByteLevel's add_prefix_space.
type prefixStage struct{}

func (prefixStage) each(p piece, w *work, use func(piece) error) error {
	if p.text[0] == ' ' {
		return use(p)
	}
	p, err := prepend(p, " ", w)
	if err != nil {
		return err
	}
	return use(p)
}

func prepend(p piece, s string, w *work) (piece, error) {
	if err := w.fits(len(s) + len(p.text)); err != nil {
		return p, err
	}
	r := newRewriter(p, w.tracked)
	r.put(s, 0)
	r.keep(0, len(p.text))
	return r.piece(), nil
}

// byteStage writes every byte as the printable character that stands for it.
type byteStage struct{}

func newByteLevel(p jsonPreTokenizer) ([]stage, error) {
	var all []stage
	if p.AddPrefixSpace != nil && *p.AddPrefixSpace {
		all = append(all, prefixStage{})
	}
	if !isFalse(p.UseRegex) {
		all = append(all, splitStage{ruleFinder{splitGPT2, classes{bmpClass()}}, false, isolated})
	}
	return append(all, byteStage{}), nil
}

func (byteStage) each(p piece, w *work, use func(piece) error) error {
	return use(byteLevel(p, w.tracked))
}

func byteLevel(p piece, tracked bool) piece {
	r := newRewriter(p, tracked)
	for i := range len(p.text) {
		r.putRune(byteRune[p.text[i]], i)
	}
	return r.piece()
}

// metaspace is SentencePiece's rule: spaces are written ▁, and one may be put before the text.
type metaspace struct {
	replacement string
	scheme      string // "always", "first", "never"
	split       bool
}

func newMetaspace(p jsonPreTokenizer) ([]stage, error) {
	m, err := readMetaspace(p.Replacement, p.PrependScheme, p.AddPrefixSpace)
	m.split = !isFalse(p.Split)
	return []stage{m}, err
}

// readMetaspace returns what pre-tokenizer and decoder share.
func readMetaspace(replacement, scheme string, addPrefixSpace *bool) (m metaspace, err error) {
	if m.replacement, err = oneChar("replacement", replacement); err != nil {
		return m, err
	}
	switch m.scheme = scheme; {
	case isFalse(addPrefixSpace) && (scheme == "" || scheme == "never"):
		m.scheme = "never" // older files say it so
	case isFalse(addPrefixSpace):
		return m, fmt.Errorf("add_prefix_space is false and prepend_scheme %q", scheme)
	case scheme == "":
		m.scheme = "always"
	case scheme != "always" && scheme != "first" && scheme != "never":
		return m, fmt.Errorf("prepend_scheme %q is not known", scheme)
	}
	return m, nil
}

func (m metaspace) each(p piece, w *work, use func(piece) error) error {
	p, err := replaceAll(p, " ", m.replacement, w)
	if err == nil && !strings.HasPrefix(p.text, m.replacement) && (m.scheme == "always" || m.scheme == "first" && p.position(0) == 0) {
		p, err = prepend(p, m.replacement, w)
	}
	if err != nil {
		return err
	}
	if !m.split {
		return use(p)
	}
	at := 0
	for at < len(p.text) { // before each replacement but the first character
		end := len(p.text)
		_, size := utf8.DecodeRuneInString(p.text[at:])
		if i := strings.Index(p.text[at+size:], m.replacement); i >= 0 {
			end = at + size + i
		}
		if err := use(p.sub(at, end)); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// replaceAll replaces a text.
func replaceAll(p piece, old, with string, w *work) (piece, error) {
	n := strings.Count(p.text, old)
	if n == 0 {
		return p, nil
	}
	if err := w.fits(len(p.text) + n*(len(with)-len(old))); err != nil {
		return p, err
	}
	spans, err := stringFinder(old).find(p.text, nil, w)
	if err != nil {
		return p, err
	}
	return replaceSpans(p, spans, with, w)
}

// replaceSpans replaces the matches. What is put in comes from the last character that it replaces.
func replaceSpans(p piece, spans []span, with string, w *work) (piece, error) {
	made := len(p.text)
	for _, s := range spans {
		if s.match {
			made += len(with) - (s.end - s.start)
		}
	}
	if err := w.fits(made); err != nil {
		return p, err
	}
	r := newRewriter(p, w.tracked)
	for _, s := range spans {
		if !s.match {
			r.keep(s.start, s.end)
			continue
		}
		_, size := utf8.DecodeLastRuneInString(p.text[:s.end])
		r.put(with, max(s.end-size, 0))
	}
	return r.piece(), nil
}

// fixedLength cuts after every so many characters.
type fixedLength int

func newFixedLength(p jsonPreTokenizer) ([]stage, error) {
	n := 5 // the reference's default
	if p.Length != nil {
		n = *p.Length
	}
	if n < 1 {
		return nil, fmt.Errorf("length %d is less than 1", n)
	}
	return []stage{fixedLength(n)}, nil
}

func (n fixedLength) each(p piece, _ *work, use func(piece) error) error {
	for at := 0; at < len(p.text); {
		end := at
		for i := 0; i < int(n) && end < len(p.text); i++ {
			_, size := utf8.DecodeRuneInString(p.text[end:])
			end += size
		}
		if err := use(p.sub(at, end)); err != nil {
			return err
		}
		at = end
	}
	return nil
}
