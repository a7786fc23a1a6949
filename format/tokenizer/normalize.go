package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites text before it is divided into pieces. It may return an empty piece.
type normalizer interface {
	apply(p piece, w *work) (piece, error)
}

// jsonNormalizer is a normalizer of the file: the fields of all types.
type jsonNormalizer struct {
	Type        string           `json:"type"`
	Normalizers []jsonNormalizer `json:"normalizers"`
	Prepend     string           `json:"prepend"`
	Pattern     pattern          `json:"pattern"`
	Content     string           `json:"content"`
	StripLeft   bool             `json:"strip_left"`
	StripRight  bool             `json:"strip_right"`
	Charsmap    []byte           `json:"precompiled_charsmap"`

	CleanText    bool  `json:"clean_text"`
	ChineseChars bool  `json:"handle_chinese_chars"`
	StripAccents *bool `json:"strip_accents"`
	Lowercase    bool  `json:"lowercase"`
}

// newNormalizers returns the normalizers of n in order.
func newNormalizers(n jsonNormalizer, depth int) ([]normalizer, error) {
	if n.Type != "Sequence" {
		one, err := newNormalizer(n)
		if err != nil {
			return nil, fmt.Errorf("normalizer %s: %w", n.Type, err)
		}
		return one, nil
	}
	if depth >= nestingMax {
		return nil, fmt.Errorf("normalizer Sequence: nested %d deep", depth+1)
	}
	var all []normalizer
	for _, m := range n.Normalizers {
		one, err := newNormalizers(m, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	return all, nil
}

func newNormalizer(n jsonNormalizer) ([]normalizer, error) {
	switch n.Type {
	case "NFC":
		return []normalizer{unicodeForm{norm.NFC}}, nil
	case "NFD":
		return []normalizer{unicodeForm{norm.NFD}}, nil
	case "NFKC":
		return []normalizer{unicodeForm{norm.NFKC}}, nil
	case "NFKD":
		return []normalizer{unicodeForm{norm.NFKD}}, nil
	case "Lowercase":
		return []normalizer{mapper(lower)}, nil
	case "StripAccents":
		return []normalizer{mapper(dropIf(isAccent))}, nil
	case "Nmt":
		return []normalizer{mapper(nmt)}, nil
	case "Strip":
		return []normalizer{strip{n.StripLeft, n.StripRight}}, nil
	case "Prepend":
		return []normalizer{prepender(n.Prepend)}, nil
	case "ByteLevel":
		return []normalizer{byteLevelNormalizer{}}, nil
	case "Replace":
		f, err := newFinder(n.Pattern)
		return []normalizer{replacer{f, n.Content}}, err
	case "BertNormalizer":
		return newBert(n), nil
	case "Precompiled":
		c, err := newCharsmap(n.Charsmap)
		return []normalizer{c}, err
	}
	return nil, fmt.Errorf("not supported")
}

// mapper appends what becomes of a character; nothing drops it.
type mapper func(b []byte, r rune) []byte

func (m mapper) apply(p piece, w *work) (piece, error) {
	r := newRewriter(p, w.tracked)
	for i, c := range p.text {
		r.out = m(r.out, c)
		r.came(i)
	}
	return r.piece(), nil
}

func dropIf(drop func(rune) bool) mapper {
	return func(b []byte, r rune) []byte {
		if drop(r) {
			return b
		}
		return utf8.AppendRune(b, r)
	}
}

// nmt drops control characters and writes other white space as a space, as SentencePiece's
// rule nmt_nfkc does.
func nmt(b []byte, r rune) []byte {
	switch {
	case r >= 1 && r <= 8, r == 0xb, r >= 0xe && r <= 0x1f, r == 0x7f, r == 0x8f, r == 0x9f:
		return b
	case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200b && r <= 0x200f,
		r == 0x2028, r == 0x2029, r == 0x2581, r == 0xfeff, r == 0xfffd:
		return append(b, ' ')
	}
	return utf8.AppendRune(b, r)
}

// strip takes white space off the ends.
type strip struct{ left, right bool }

func (s strip) apply(p piece, _ *work) (piece, error) {
	if s.right {
		p = p.sub(0, len(strings.TrimRightFunc(p.text, unicode.IsSpace)))
	}
	if s.left {
		p = p.sub(len(p.text)-len(strings.TrimLeftFunc(p.text, unicode.IsSpace)), len(p.text))
	}
	return p, nil
}

// prepender puts a text before one that is not empty.
type prepender string

func (s prepender) apply(p piece, w *work) (piece, error) {
	if p.text == "" {
		return p, nil
	}
	return prepend(p, string(s), w)
}

type byteLevelNormalizer struct{}

func (byteLevelNormalizer) apply(p piece, w *work) (piece, error) {
	return byteLevel(p, w.tracked), nil
}

// replacer replaces what a pattern matches.
type replacer struct {
	finder
	with string
}

func (r replacer) apply(p piece, w *work) (piece, error) {
	if s, ok := r.finder.(stringFinder); ok {
		return replaceAll(p, string(s), r.with, w)
	}
	if p.text == "" {
		return p, nil
	}
	spans, err := r.find(p.text, nil, w)
	if err != nil {
		return piece{}, err
	}
	return replaceSpans(p, spans, r.with, w)
}

// newBert returns what BERT does to text, in order.
func newBert(n jsonNormalizer) (all []normalizer) {
	if n.CleanText {
		all = append(all, mapper(bertClean))
	}
	if n.ChineseChars {
		all = append(all, mapper(bertSpread))
	}
	if n.StripAccents == nil && n.Lowercase || n.StripAccents != nil && *n.StripAccents {
		all = append(all, unicodeForm{norm.NFD}, mapper(dropIf(isBERTAccent)))
	}
	if n.Lowercase {
		all = append(all, mapper(lower))
	}
	return all
}

// bertClean drops control characters and writes white space as a space.
func bertClean(b []byte, r rune) []byte {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return append(b, ' ')
	case r == 0 || r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
		return b
	case unicode.IsSpace(r):
		return append(b, ' ')
	}
	return utf8.AppendRune(b, r)
}

// chinese is the blocks of CJK ideographs, as BERT has them.
var chinese = table(0x3400, 0x4dbf, 0x4e00, 0x9fff, 0xf900, 0xfaff, 0x20000, 0x2a6df,
	0x2a700, 0x2b73f, 0x2b740, 0x2b81f, 0x2b920, 0x2ceaf, 0x2f800, 0x2fa1f)

// bertSpread puts spaces round an ideograph.
func bertSpread(b []byte, r rune) []byte {
	if !unicode.Is(chinese, r) {
		return utf8.AppendRune(b, r)
	}
	return append(utf8.AppendRune(append(b, ' '), r), ' ')
}
