package dataset

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const shape = `{"prompt": "...", "completion": "..."}`

// parser reads one line. encoding/json will not do: it takes the last of two equal keys,
// keys in another case, and text that is not UTF-8.
type parser struct {
	b   []byte
	i   int
	buf []byte // of the string being unescaped
}

// parse returns the row, or what is wrong with the line first.
func (p *parser) parse(line []byte, first bool) (row Row, bad *Problem) {
	p.b, p.i = line, 0
	if bad := p.encoding(first); bad != nil {
		return row, bad
	}
	if p.space(); p.i == len(p.b) {
		return row, &Problem{Kind: NotJSONL, Reason: "is blank: remove it, also at the end of the file"}
	}
	if bad := p.open(); bad != nil {
		return row, bad
	}
	seen := map[string]bool{}
	for more := true; more; {
		if more, bad = p.member(&row, seen); bad != nil {
			return row, bad
		}
	}
	if p.space(); p.i < len(p.b) {
		return row, p.syntax("there is text after the object: write one object on each line, nothing else")
	}
	return row, p.complete(row, seen)
}

// encoding checks that the line is UTF-8 text.
func (p *parser) encoding(first bool) *Problem {
	switch {
	case first && bytes.HasPrefix(p.b, []byte("\xef\xbb\xbf")):
		return &Problem{Kind: NotJSONL, Reason: "begins with a byte order mark: save the file as UTF-8 without BOM"}
	case first && (bytes.HasPrefix(p.b, []byte("\xff\xfe")) || bytes.HasPrefix(p.b, []byte("\xfe\xff"))):
		return &Problem{Kind: NotJSONL, Reason: "is UTF-16: save the file as UTF-8"}
	case first && bytes.HasPrefix(p.b, []byte("\x1f\x8b")):
		return &Problem{Kind: NotJSONL, Reason: "is gzip: decompress the file before the upload"}
	}
	if i := bytes.IndexByte(p.b, 0); i >= 0 {
		p.i = i
		return p.syntax("there is a NUL byte: the file is damaged or not UTF-8 text")
	}
	if utf8.Valid(p.b) {
		return nil
	}
	for p.i = 0; ; {
		r, n := utf8.DecodeRune(p.b[p.i:])
		if r == utf8.RuneError && n == 1 {
			return p.syntax(fmt.Sprintf("byte 0x%02X is not valid UTF-8: save the file as UTF-8", p.b[p.i]))
		}
		p.i += n
	}
}

// open reads the opening brace.
func (p *parser) open() *Problem {
	switch p.b[p.i] {
	case '{':
		p.i++
		return nil
	case '[':
		return p.syntax("a JSON array: write one object " + shape + " on each line, without brackets or commas between them")
	case ',', ']', '}':
		return p.syntax("this line is not an object: write each object on one line, without line breaks inside")
	}
	return p.syntax("this is not a JSON object: write " + shape)
}

// member reads one "key": "value" and what follows it; more tells whether another comes.
func (p *parser) member(row *Row, seen map[string]bool) (more bool, bad *Problem) {
	if p.space(); len(seen) == 0 && p.peek() == '}' {
		p.i++
		return false, nil
	}
	key, bad := p.key()
	if bad != nil {
		return false, bad
	}
	if bad := checkKey(key, seen); bad != nil {
		return false, bad
	}
	seen[key] = true
	value, bad := p.value(key)
	if bad != nil {
		return false, bad
	}
	if key == "prompt" {
		row.Prompt = value
	} else {
		row.Completion = value
	}
	switch p.space(); p.peek() {
	case ',':
		p.i++
		return true, nil
	case '}':
		p.i++
		return false, nil
	}
	return false, p.unexpected("a comma or }")
}

func (p *parser) key() (string, *Problem) {
	switch p.peek() {
	case '"':
		return p.string()
	case '\'':
		return "", p.syntax(`keys and text need double quotes ("), not single ones`)
	case '}':
		return "", p.syntax("there is a comma before the closing brace: remove it")
	}
	return "", p.unexpected("a key in double quotes")
}

// checkKey refuses all keys but the two.
func checkKey(key string, seen map[string]bool) *Problem {
	content := func(format string, args ...any) *Problem {
		return &Problem{Kind: Content, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case seen[key]:
		return content("key %s occurs twice: keep one", short(key))
	case key == "prompt" || key == "completion":
		return nil
	case strings.EqualFold(strings.TrimSpace(key), "prompt"), strings.EqualFold(strings.TrimSpace(key), "completion"):
		return content("key %s must be written %q", short(key), strings.ToLower(strings.TrimSpace(key)))
	case key == "messages" || key == "schemaVersion" || key == "system":
		return content("key %s belongs to the conversation format, which this model does not take: write %s", short(key), shape)
	case key == "input":
		return content(`key "input" belongs to continued pre-training, which is not offered: write %s`, shape)
	}
	return content("key %s is not known: a row has exactly %q and %q", short(key), "prompt", "completion")
}

// value reads : and a string.
func (p *parser) value(key string) (string, *Problem) {
	if p.space(); p.peek() != ':' {
		return "", p.unexpected("a colon after the key")
	}
	p.i++
	p.space()
	c := p.peek()
	if c == '"' {
		return p.string()
	}
	names := map[byte]string{'{': "an object", '[': "an array", 't': "a boolean", 'f': "a boolean", 'n': "null", '-': "a number", '\'': "in single quotes"}
	name, ok := names[c]
	if c >= '0' && c <= '9' {
		name, ok = "a number", true
	}
	if !ok {
		return "", p.unexpected("text in double quotes")
	}
	return "", &Problem{Kind: Content, Reason: fmt.Sprintf("%q is %s: it must be text in double quotes", key, name)}
}

// string reads a JSON string whose opening quote is at p.i.
func (p *parser) string() (string, *Problem) {
	p.i++
	p.buf = p.buf[:0]
	for start := p.i; p.i < len(p.b); {
		switch c := p.b[p.i]; {
		case c == '"':
			p.buf = append(p.buf, p.b[start:p.i]...)
			p.i++
			return string(p.buf), nil
		case c == '\\':
			p.buf = append(p.buf, p.b[start:p.i]...)
			if bad := p.escape(); bad != nil {
				return "", bad
			}
			start = p.i
		case c < ' ':
			return "", p.syntax(fmt.Sprintf("there is a control character (U+%04X) inside text: write it as %s", c, controlEscape(c)))
		default:
			p.i++
		}
	}
	return "", p.syntax("the line ends inside text: the closing quote is missing, or a line break in the text is not written as \\n")
}

func controlEscape(c byte) string {
	for letter, control := range simpleEscapes {
		if control == c {
			return `\` + string(letter)
		}
	}
	return fmt.Sprintf(`\u%04X`, c)
}

var simpleEscapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends the character whose backslash is at p.i.
func (p *parser) escape() *Problem {
	if p.i+1 < len(p.b) {
		if c, ok := simpleEscapes[p.b[p.i+1]]; ok {
			p.buf = append(p.buf, c)
			p.i += 2
			return nil
		}
	}
	r, ok := p.hex(p.i)
	if !ok {
		return p.syntax(`a backslash must begin one of \" \\ \/ \b \f \n \r \t \uXXXX: write \\ for a backslash`)
	}
	size := len(`\uXXXX`)
	if utf16.IsSurrogate(r) {
		low, ok := p.hex(p.i + size)
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return p.syntax("half of a surrogate pair (\\uD800 to \\uDFFF) stands alone: write the character itself, in UTF-8")
		}
		size *= 2
	}
	if r == 0 {
		return p.syntax("text holds the NUL character (\\u0000): remove it")
	}
	p.buf = utf8.AppendRune(p.buf, r)
	p.i += size
	return nil
}

// hex reads \uXXXX at i.
func (p *parser) hex(i int) (rune, bool) {
	if i+6 > len(p.b) || p.b[i] != '\\' || p.b[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range p.b[i+2 : i+6] {
		d := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if d < 0 || c < '0' {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// complete checks what only the whole row shows.
func (p *parser) complete(row Row, seen map[string]bool) *Problem {
	for _, f := range []struct{ key, value string }{{"prompt", row.Prompt}, {"completion", row.Completion}} {
		switch {
		case !seen[f.key]:
			return &Problem{Kind: Content, Reason: fmt.Sprintf("key %q is missing: write %s", f.key, shape)}
		case f.value == "":
			return &Problem{Kind: Content, Reason: fmt.Sprintf("%q is empty: fill it in or remove the row", f.key)}
		case strings.TrimSpace(f.value) == "":
			return &Problem{Kind: Content, Reason: fmt.Sprintf("%q is only white space: fill it in or remove the row", f.key)}
		}
	}
	return nil
}

// space skips JSON's white space.
func (p *parser) space() {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\t' || p.b[p.i] == '\r' || p.b[p.i] == '\n') {
		p.i++
	}
}

// peek returns the next byte, 0 at the end: no line that gets here holds a NUL.
func (p *parser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

func (p *parser) unexpected(want string) *Problem {
	if p.i == len(p.b) {
		return p.syntax("the line ends where " + want + " should stand: write each object on one line, without line breaks inside")
	}
	r, _ := utf8.DecodeRune(p.b[p.i:])
	return p.syntax(fmt.Sprintf("%q where %s should stand", r, want))
}

// syntax returns a problem at the current position.
func (p *parser) syntax(reason string) *Problem {
	column := utf8.RuneCount(p.b[:p.i]) + 1
	return &Problem{Kind: NotJSONL, Reason: fmt.Sprintf("column %d: %s", column, reason)}
}

// short quotes a key that may be long.
func short(key string) string {
	const most = 40
	if utf8.RuneCountInString(key) > most {
		key = string([]rune(key)[:most]) + "..."
	}
	return strconv.Quote(key)
}
