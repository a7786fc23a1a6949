package tokenizer

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// PebblePattern is how Pebble's tokenizer splits text: words with a leading space and inner
// apostrophes, at most three digits, punctuation, line ends, other white space. splitPebble
// is the same rule by hand; a test compares the two.
const PebblePattern = ` ?[\p{L}\p{M}]+(?:'[\p{L}\p{M}]+)*| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+`

// gpt2Pattern is what pre_tokenizer ByteLevel means by use_regex.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// SplitTimeout bounds the time that a pattern may take for one text. The published patterns
// take a microsecond for a word; one with exponential backtracking must not hang a server.
const SplitTimeout = 10 * time.Second

// splitter cuts text into pieces that together are the text.
type splitter interface {
	each(text string, use func(piece string) error) error
}

// patternSplitter returns the fastest splitter for a pattern.
func patternSplitter(pattern string) (splitter, error) {
	if pattern == PebblePattern {
		return handSplitter(splitPebble), nil
	}
	re, err := regexp2.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	re.MatchTimeout = SplitTimeout
	return &regexSplitter{re}, nil
}

// handSplitter returns the end of the first piece of a text that is not empty.
type handSplitter func(text string) int

func (next handSplitter) each(text string, use func(string) error) error {
	for len(text) > 0 {
		n := next(text)
		if err := use(text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// regexSplitter is the general case: a match is a piece, and so is what lies between two.
type regexSplitter struct{ re *regexp2.Regexp }

func (s *regexSplitter) each(text string, use func(string) error) error {
	matches, err := s.re.FindAllStringIndex(text, -1)
	if err != nil {
		return fmt.Errorf("split text of %d bytes: %w", len(text), err)
	}
	at := 0
	for _, m := range matches {
		for _, end := range m { // the start of a match ends what lies before it
			if end > at {
				if err := use(text[at:end]); err != nil {
					return err
				}
				at = end
			}
		}
	}
	if at < len(text) {
		return use(text[at:])
	}
	return nil
}

// splitDigits puts every digit into a piece of its own: pre_tokenizer Digits.
func splitDigits(text string) int {
	r, n := utf8.DecodeRuneInString(text)
	if unicode.IsNumber(r) {
		return n
	}
	for n < len(text) {
		r, size := utf8.DecodeRuneInString(text[n:])
		if unicode.IsNumber(r) {
			break
		}
		n += size
	}
	return n
}

// class is what a character is to the splitting rule.
type class uint8

const (
	other class = iota // punctuation, symbols, bytes that are not UTF-8
	letter
	number
	space
	newline // \r, \n
)

var asciiClass = func() (t [utf8.RuneSelf]class) {
	for i := range t {
		t[i] = unicodeClass(rune(i))
	}
	return t
}()

func unicodeClass(r rune) class {
	switch {
	case r == '\r' || r == '\n':
		return newline
	case unicode.IsLetter(r) || unicode.IsMark(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// classAt returns the class and the size of the character at i < len(s).
func classAt(s string, i int) (c class, size int) {
	if s[i] < utf8.RuneSelf {
		return asciiClass[s[i]], 1
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	return unicodeClass(r), size
}

// run returns the end of the run of class c from i on, at most limit characters long.
func run(s string, i int, c class, limit int) int {
	for ; i < len(s) && limit > 0; limit-- {
		k, size := classAt(s, i)
		if k != c {
			break
		}
		i += size
	}
	return i
}

// splitPebble is PebblePattern by hand.
func splitPebble(s string) int {
	i := 0
	if s[0] == ' ' && len(s) > 1 {
		i = 1
	}
	c, _ := classAt(s, i)
	switch c {
	case letter:
		return wordEnd(s, run(s, i, letter, len(s)))
	case number:
		return run(s, i, number, 3)
	case other:
		return run(s, i, other, len(s))
	}
	return spaceEnd(s)
}

// wordEnd goes on over inner apostrophes.
func wordEnd(s string, i int) int {
	for i+1 < len(s) && s[i] == '\'' {
		end := run(s, i+1, letter, len(s))
		if end == i+1 {
			break
		}
		i = end
	}
	return i
}

// spaceEnd ends a piece of white space: after its last line end if it has one, else before
// its last character, which belongs to the word that follows, unless it is the only one.
func spaceEnd(s string) int {
	end, last, lineEnd := 0, 0, 0
	for end < len(s) {
		c, size := classAt(s, end)
		if c != space && c != newline {
			break
		}
		last = end
		end += size
		if c == newline {
			lineEnd = end
		}
	}
	switch {
	case lineEnd > 0:
		return lineEnd
	case end == len(s) || last == 0:
		return end
	}
	return last
}
