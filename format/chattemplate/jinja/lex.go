package jinja

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a token is.
type kind int

const (
	endToken kind = iota
	dataToken
	outputBegin // {{
	outputEnd
	blockBegin // {%
	blockEnd
	nameToken
	textToken
	intToken
	floatToken
	operator
)

type token struct {
	kind kind
	text string // of data, names, operators; of a string literal what it stands for
	line int
}

// lexer cuts a template into tokens, with the white space control of trim_blocks and
// lstrip_blocks (jinja2/lexer.py, tokeniter).
type lexer struct {
	src       string
	at        int
	line      int
	lineStart bool // what was matched last ended a line
	tokens    []token
}

func lex(source string) []token {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	source = strings.ReplaceAll(source, "\r", "\n")
	l := &lexer{src: strings.TrimSuffix(source, "\n"), line: 1, lineStart: true}
	for l.at < len(l.src) {
		l.data()
	}
	l.emit(endToken, "")
	return l.tokens
}

func (l *lexer) emit(k kind, text string) { l.tokens = append(l.tokens, token{k, text, l.line}) }

// skip moves on by n bytes.
func (l *lexer) skip(n int) {
	part := l.src[l.at : l.at+n]
	l.line += strings.Count(part, "\n")
	l.lineStart = strings.HasSuffix(part, "\n")
	l.at += n
}

// data takes the text up to the next {{, {% or {#, and what that begins.
func (l *lexer) data() {
	rest := l.src[l.at:]
	n := nextTag(rest)
	if n < 0 {
		l.emitData(rest)
		l.at = len(l.src)
		return
	}
	text := l.strip(rest[:n], rest[n:])
	l.emitData(text)
	l.skip(n)
	tag := l.src[l.at : l.at+2]
	if m := rawBegin.FindString(l.src[l.at:]); m != "" {
		l.skip(len(m))
		l.raw()
		return
	}
	l.skip(2)
	if l.at < len(l.src) && (l.src[l.at] == '-' || l.src[l.at] == '+') {
		l.skip(1)
	}
	switch tag {
	case "{#":
		l.comment()
	case "{%":
		l.emit(blockBegin, tag)
		l.inside(blockEnd, "%}")
	default:
		l.emit(outputBegin, tag)
		l.inside(outputEnd, "}}")
	}
}

func (l *lexer) emitData(text string) {
	if text != "" {
		l.emit(dataToken, text)
	}
}

// nextTag returns where the next tag begins, or -1.
func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return i
		}
	}
	return -1
}

// strip takes away the white space before a tag that its sign, or lstrip_blocks, does not
// want.
func (l *lexer) strip(text, tag string) string {
	sign := byte(0)
	if len(tag) > 2 {
		sign = tag[2]
	}
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, isSpace)
	case sign == '+' || tag[1] == '{':
		return text
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if (line > 0 || l.lineStart) && strings.TrimFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

var (
	rawBegin = regexp.MustCompile(`^\{%[-+]?\s*raw\s*(?:-%\}\s*|%\})`)
	rawEnd   = regexp.MustCompile(`\{%[-+]?\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)`)
)

// raw takes the text up to endraw as data.
func (l *lexer) raw() {
	rest := l.src[l.at:]
	end := rawEnd.FindStringIndex(rest)
	if end == nil {
		fail(l.line, "raw has no endraw")
	}
	l.emitData(l.strip(rest[:end[0]], rest[end[0]:]))
	l.skip(end[1])
}

func (l *lexer) comment() {
	n := strings.Index(l.src[l.at:], "#}")
	if n < 0 {
		fail(l.line, "the comment has no end, #}")
	}
	sign := byte(0)
	if n > 0 {
		sign = l.src[l.at+n-1]
	}
	l.skip(n + 2)
	l.afterTag(sign, true)
}

// afterTag skips the white space after a tag that its sign, or trim_blocks, does not want.
func (l *lexer) afterTag(sign byte, trim bool) {
	rest := l.src[l.at:]
	switch {
	case sign == '-':
		if n := len(rest) - len(strings.TrimLeftFunc(rest, isSpace)); n > 0 {
			l.skip(n)
		}
	case sign != '+' && trim && strings.HasPrefix(rest, "\n"):
		l.skip(1)
	}
}

// inside takes the tokens of an expression up to its end tag.
func (l *lexer) inside(end kind, tag string) {
	var open []byte
	for l.at < len(l.src) {
		c := l.src[l.at]
		if len(open) == 0 && l.endTag(end, tag) {
			return
		}
		if c < utf8.RuneSelf && isSpace(rune(c)) {
			l.skip(1)
			continue
		}
		if open = l.balance(open, c); len(open) > nestingMax {
			fail(l.line, "more than %d brackets are open", nestingMax)
		}
		l.token(c)
	}
	fail(l.line, "the template ends inside of a tag: %s is missing", tag)
}

// endTag takes the end of a tag if it stands here.
func (l *lexer) endTag(end kind, tag string) bool {
	rest := l.src[l.at:]
	sign := byte(0)
	if c := rest[0]; c == '-' || c == '+' && end == blockEnd {
		sign, rest = c, rest[1:]
	}
	if !strings.HasPrefix(rest, tag) {
		return false
	}
	l.emit(end, tag)
	n := len(tag)
	if sign != 0 {
		n++
	}
	l.skip(n)
	l.afterTag(sign, end == blockEnd)
	return true
}

// balance keeps track of open brackets, within which }} and %} are not the end.
func (l *lexer) balance(open []byte, c byte) []byte {
	switch c {
	case '(':
		return append(open, ')')
	case '[':
		return append(open, ']')
	case '{':
		return append(open, '}')
	case ')', ']', '}':
		if len(open) == 0 || open[len(open)-1] != c {
			fail(l.line, "%q closes nothing", c)
		}
		return open[:len(open)-1]
	}
	return open
}

var (
	floatPattern = regexp.MustCompile(`^(?:[0-9]+_)*[0-9]+(?:(?:\.(?:[0-9]+_)*[0-9]+)?[eE][+-]?(?:[0-9]+_)*[0-9]+|\.(?:[0-9]+_)*[0-9]+)`)
	intPattern   = regexp.MustCompile(`^(?:0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?[0-9])*|0(?:_?0)*)`)
)

// operators of two characters, which go before those of one.
var operators = []string{"//", "**", "==", "!=", ">=", "<="}

// token takes one token of an expression, which begins with c.
func (l *lexer) token(c byte) {
	rest := l.src[l.at:]
	switch {
	case c == '"' || c == '\'':
		l.literal(c)
		return
	case c >= '0' && c <= '9':
		dotted := l.at > 0 && l.src[l.at-1] == '.'
		if m := floatPattern.FindString(rest); m != "" && !dotted {
			l.emit(floatToken, strings.ReplaceAll(m, "_", ""))
			l.skip(len(m))
			return
		}
		m := intPattern.FindString(rest)
		l.emit(intToken, m)
		l.skip(len(m))
		return
	}
	if n := nameLength(rest); n > 0 {
		l.emit(nameToken, rest[:n])
		l.skip(n)
		return
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			l.emit(operator, op)
			l.skip(len(op))
			return
		}
	}
	if !strings.ContainsRune("+-/*%~[](){}><=.:|,", rune(c)) {
		r, _ := utf8.DecodeRuneInString(rest)
		fail(l.line, "%q does not belong here", r)
	}
	l.emit(operator, string(c))
	l.skip(1)
}

func nameLength(s string) int {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return i
		}
	}
	return len(s)
}

// literal takes a string in quotes.
func (l *lexer) literal(quote byte) {
	rest := l.src[l.at:]
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case quote:
			l.emit(textToken, unescape(rest[1:i]))
			l.skip(i + 1)
			return
		}
	}
	fail(l.line, "the closing %c of a text is missing", quote)
}

var escapes = map[byte]string{
	'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape resolves Python's escapes; one that is none stays as it is written.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		if text, ok := escapes[s[i+1]]; ok {
			b.WriteString(text)
			i += 2
			continue
		}
		r, n := codeEscape(s[i:])
		if n == 0 {
			b.WriteString(s[i : i+2])
			i += 2
			continue
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

// codeEscape reads \xHH, \uHHHH, \UHHHHHHHH or \OOO at the beginning of s; n is 0 if none
// stands there.
func codeEscape(s string) (r rune, n int) {
	if size := map[byte]int{'x': 4, 'u': 6, 'U': 10}[s[1]]; size > 0 {
		if size > len(s) {
			return 0, 0
		}
		code, err := strconv.ParseUint(s[2:size], 16, 32)
		if err != nil || code > unicode.MaxRune {
			return 0, 0
		}
		return rune(code), size
	}
	for n = 1; n < 4 && n < len(s) && s[n] >= '0' && s[n] <= '7'; n++ {
		r = r*8 + rune(s[n]-'0')
	}
	if n == 1 {
		return 0, 0
	}
	return r, n
}

// isSpace is Python's str.isspace: Unicode's, and the four separators of ASCII.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
