package tokenizer

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// The reference implementation reads Unicode from four places of different age. Where they
// differ from Go's tables (Unicode 15), the difference stands here, found by asking it for
// every code point (tools/parity/tokenizers.py unicode).
var (
	// Letters, numbers and marks that its patterns know and Go does not: Unicode 16.
	newLetters = table(0x1c89, 0x1c8a, 0xa7cb, 0xa7cd, 0xa7da, 0xa7dc, 0x105c0, 0x105f3,
		0x10d4a, 0x10d65, 0x10d6f, 0x10d85, 0x10ec2, 0x10ec4, 0x11380, 0x11389, 0x1138b, 0x1138b,
		0x1138e, 0x1138e, 0x11390, 0x113b5, 0x113b7, 0x113b7, 0x113d1, 0x113d1, 0x113d3, 0x113d3,
		0x11bc0, 0x11be0, 0x13460, 0x143fa, 0x16100, 0x1611d, 0x16d40, 0x16d6c, 0x18cff, 0x18cff,
		0x1e5d0, 0x1e5ed, 0x1e5f0, 0x1e5f0, 0x2ebf0, 0x2ee5d)
	newNumbers = table(0x10d40, 0x10d49, 0x116d0, 0x116e3, 0x11bf0, 0x11bf9, 0x16130, 0x16139,
		0x16d70, 0x16d79, 0x1ccf0, 0x1ccf9, 0x1e5f1, 0x1e5fa)
	newMarks = table(0x897, 0x897, 0x10d69, 0x10d6d, 0x10efc, 0x10efc, 0x113b8, 0x113c0,
		0x113c2, 0x113c2, 0x113c5, 0x113c5, 0x113c7, 0x113ca, 0x113cc, 0x113d0, 0x113d2, 0x113d2,
		0x113e1, 0x113e2, 0x11f5a, 0x11f5a, 0x1611e, 0x1612f, 0x1e5ee, 0x1e5ef)
	// Punctuation that its pre-tokenizers Punctuation and BertPreTokenizer do not know: after Unicode 8.
	latePunctuation = table(0x61d, 0x61d, 0x9fd, 0x9fd, 0xa76, 0xa76, 0xc77, 0xc77, 0xc84, 0xc84,
		0x1b7d, 0x1b7e, 0x2e43, 0x2e4f, 0x2e52, 0x2e5d, 0x10ead, 0x10ead, 0x10f55, 0x10f59,
		0x10f86, 0x10f89, 0x1144b, 0x1144f, 0x1145a, 0x1145b, 0x1145d, 0x1145d, 0x11660, 0x1166c,
		0x116b9, 0x116b9, 0x1183b, 0x1183b, 0x11944, 0x11946, 0x119e2, 0x119e2, 0x11a3f, 0x11a46,
		0x11a9a, 0x11a9c, 0x11a9e, 0x11aa2, 0x11b00, 0x11b09, 0x11c41, 0x11c45, 0x11c70, 0x11c71,
		0x11ef7, 0x11ef8, 0x11f43, 0x11f4f, 0x11fff, 0x11fff, 0x12ff1, 0x12ff2, 0x16e97, 0x16e9a,
		0x16fe2, 0x16fe2, 0x1e95e, 0x1e95f)
	earlyPunctuation = table(0x166d, 0x166d, 0x111c9, 0x111c9)
	// Decompositions that its normalizers do not know: after Unicode 12.
	lateDecompositions = table(0x32ff, 0x32ff, 0xa7f2, 0xa7f4, 0xab69, 0xab69, 0x10781, 0x10785,
		0x10787, 0x107b0, 0x107b2, 0x107ba, 0x11938, 0x11938, 0x1e030, 0x1e06d, 0x1f16c, 0x1f16c,
		0x1fbf0, 0x1fbf9)
)

// table returns the ranges low, high, low, high …
func table(bounds ...rune) *unicode.RangeTable {
	t := &unicode.RangeTable{}
	for i := 0; i < len(bounds); i += 2 {
		t.R32 = append(t.R32, unicode.Range32{Lo: uint32(bounds[i]), Hi: uint32(bounds[i+1]), Stride: 1})
	}
	return t
}

// class is what a character is to the splitting rules.
type class uint8

const (
	other class = iota // punctuation, symbols, bytes that are not UTF-8
	letter
	mark
	number
	space
	newline // \r, \n
)

func unicodeClass(r rune) class {
	switch {
	case r == '\r' || r == '\n':
		return newline
	case unicode.IsLetter(r) || unicode.Is(newLetters, r):
		return letter
	case unicode.IsMark(r) || unicode.Is(newMarks, r):
		return mark
	case isNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// bmpClass holds the class of every character below U+10000: a look-up in place of five
// binary searches, in the inner loop of splitting.
var bmpClass = sync.OnceValue(func() *[1 << 16]class {
	var t [1 << 16]class
	for r := range t {
		t[r] = unicodeClass(rune(r))
	}
	return &t
})

// classes reads the classes of characters of a text.
type classes struct{ bmp *[1 << 16]class }

// at returns the class and the size of the character at i < len(s).
func (c classes) at(s string, i int) (k class, size int) {
	if s[i] < utf8.RuneSelf {
		return c.bmp[s[i]], 1
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	switch {
	case r < 1<<16:
		return c.bmp[r], size // U+FFFD, for a byte that is not UTF-8, is other
	default:
		return unicodeClass(r), size
	}
}

func isNumber(r rune) bool { return unicode.IsNumber(r) || unicode.Is(newNumbers, r) }

// isWord is \w of Rust's regex: alphabetic, marks, decimal digits, connectors, joiners.
func isWord(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r == '_' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z'
	case unicode.IsLetter(r) || unicode.IsMark(r) || unicode.In(r, unicode.Nd, unicode.Nl, unicode.Pc):
		return true
	}
	return r == 0x200c || r == 0x200d || unicode.In(r, unicode.Other_Alphabetic,
		unicode.Other_Lowercase, unicode.Other_Uppercase, newLetters, newMarks, newNumbers)
}

// isPunctuation is what Punctuation cuts at: ASCII's symbols too.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	return unicode.IsPunct(r) && !unicode.Is(latePunctuation, r) || unicode.Is(earlyPunctuation, r)
}

// lower is Unicode's lower case of one character on its own: σ even at the end of a word.
func lower(b []byte, r rune) []byte {
	if r == 'İ' {
		return append(b, "i\u0307"...)
	}
	return utf8.AppendRune(b, unicode.ToLower(r))
}
