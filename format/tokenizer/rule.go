package tokenizer

import "strings"

// gpt2Pattern is GPT-2's, and what pre_tokenizer ByteLevel means by use_regex.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// Llama3Pattern is Llama 3's, which every runtime of GGUF files knows, and Pebble's.
const Llama3Pattern = llama3Head + llama3Number + llama3Tail

// Qwen2Pattern is that of Qwen 2, 2.5 and 3.
const Qwen2Pattern = llama3Head + qwen2Number + llama3Tail

// Llama 3's and Qwen's differ only in how many digits make a piece.
const (
	llama3Head   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`
	llama3Tail   = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	llama3Number = `\p{N}{1,3}`
	qwen2Number  = `\p{N}`
)

// knownPatterns are the patterns that have a rule by hand, twenty times as fast. A test
// compares each rule with its pattern.
var knownPatterns = map[string]func(c classes, s string) int{
	gpt2Pattern:   splitGPT2,
	Llama3Pattern: func(c classes, s string) int { return splitLlama3(c, s, 3) },
	Qwen2Pattern:  func(c classes, s string) int { return splitLlama3(c, s, 1) },
}

// run returns the end of the run of characters of class k from i on, at most limit of them.
func (c classes) run(s string, i int, k class, limit int) int {
	for ; i < len(s) && limit > 0; limit-- {
		has, size := c.at(s, i)
		if has != k {
			break
		}
		i += size
	}
	return i
}

// symbols returns the end of the run of others and marks from i on: [^\s\p{L}\p{N}]*.
func (c classes) symbols(s string, i int) int {
	for i < len(s) {
		k, size := c.at(s, i)
		if k != other && k != mark {
			break
		}
		i += size
	}
	return i
}

// afterSpace returns 1 if s is a space and something, else 0.
func afterSpace(s string) int {
	if s[0] == ' ' && len(s) > 1 {
		return 1
	}
	return 0
}

// splitGPT2 is gpt2Pattern by hand.
func splitGPT2(c classes, s string) int {
	if n := contraction(s, false); n > 0 {
		return n
	}
	i := afterSpace(s)
	switch k, _ := c.at(s, i); k {
	case letter:
		return c.run(s, i, letter, len(s))
	case number:
		return c.run(s, i, number, len(s))
	case other, mark:
		return c.symbols(s, i)
	}
	return c.spaces(s, false)
}

// splitLlama3 is Llama 3's pattern, and Qwen's with one digit, by hand.
func splitLlama3(c classes, s string, digits int) int {
	if n := contraction(s, true); n > 0 {
		return n
	}
	first, size := c.at(s, 0)
	if first == letter {
		return c.run(s, size, letter, len(s))
	}
	if first == number {
		return c.run(s, 0, number, digits)
	}
	if first != newline && size < len(s) { // one character that is no letter may lead a word
		if end := c.run(s, size, letter, len(s)); end > size {
			return end
		}
	}
	i := afterSpace(s)
	if end := c.symbols(s, i); end > i {
		return c.run(s, end, newline, len(s))
	}
	return c.spaces(s, true)
}

// contraction returns the length of 's, 't, 're, 've, 'm, 'll or 'd at the beginning of s, 0
// if there is none. In any case, as Unicode folds it: ſ is an s.
func contraction(s string, anyCase bool) int {
	if s[0] != '\'' {
		return 0
	}
	for _, end := range [...]string{"s", "t", "re", "ve", "m", "ll", "d"} {
		if rest := s[1:]; strings.HasPrefix(rest, end) || anyCase && len(rest) >= len(end) && strings.EqualFold(rest[:len(end)], end) {
			return 1 + len(end)
		}
	}
	if anyCase && strings.HasPrefix(s[1:], "ſ") {
		return 1 + len("ſ")
	}
	return 0
}

// spaces ends a piece of white space: after its last line end if it has one and lines count,
// else before its last character, which belongs to the word that follows, unless it is the
// only one.
func (c classes) spaces(s string, lines bool) int {
	end, last, lineEnd := 0, 0, 0
	for end < len(s) {
		k, size := c.at(s, end)
		if k != space && k != newline {
			break
		}
		last = end
		end += size
		if k == newline {
			lineEnd = end
		}
	}
	switch {
	case lines && lineEnd > 0:
		return lineEnd
	case end == len(s) || last == 0:
		return end
	}
	return last
}
