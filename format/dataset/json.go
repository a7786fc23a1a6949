package dataset

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// parser reads one line. encoding/json will not do: it takes the last of two equal keys,
// keys in another case, and text that is not UTF-8.
type parser struct {
	b   []byte
	i   int
	buf []byte // of the string being unescaped
}

// encoding checks that the line is UTF-8 text.
func (p *parser) encoding(first bool) *Problem {
	switch {
	case first && bytes.HasPrefix(p.b, []byte("\xef\xbb\xbf")):
		return &Problem{Kind: NotJSONL, Reason: "begins with a byte order mark: save the file as UTF-8 without BOM"}
	case first && (bytes.HasPrefix(p.b, []byte("\xff\xfe")) || bytes.HasPrefix(p.b, []byte("\xfe\xff"))):
		return &Problem{Kind: NotJSONL, final: true, Reason: "is UTF-16: save the file as UTF-8"}
	case first && bytes.HasPrefix(p.b, []byte("\x1f\x8b")):
		return &Problem{Kind: NotJSONL, final: true, Reason: "is gzip: decompress the file before the upload"}
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

// object reads the members of an object whose brace is at p.i. member reads the value of a
// key, whose colon has been read; what is wrong with one of them ends it.
func (p *parser) object(member func(key string) *Problem) *Problem {
	p.i++
	if p.space(); p.peek() == '}' {
		p.i++
		return nil
	}
	for {
		p.space()
		key, bad := p.key()
		if bad != nil {
			return bad
		}
		if p.space(); p.peek() != ':' {
			return p.unexpected("a colon after the key")
		}
		p.i++
		p.space()
		if bad := member(key); bad != nil {
			return bad
		}
		switch p.space(); p.peek() {
		case ',':
			p.i++
		case '}':
			p.i++
			return nil
		default:
			return p.unexpected("a comma or }")
		}
	}
}

// array reads the items of an array whose bracket is at p.i.
func (p *parser) array(item func(i int) *Problem) *Problem {
	p.i++
	if p.space(); p.peek() == ']' {
		p.i++
		return nil
	}
	for i := 0; ; i++ {
		p.space()
		if bad := item(i); bad != nil {
			return bad
		}
		switch p.space(); p.peek() {
		case ',':
			p.i++
		case ']':
			p.i++
			return nil
		default:
			return p.unexpected("a comma or ]")
		}
	}
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

// text reads a value that must be text; at says where it stands.
func (p *parser) text(at string) (string, *Problem) {
	if p.peek() == '"' {
		return p.string()
	}
	return "", p.wrongType(at, "text in double quotes")
}

// wrongType is the problem with a value that is not what it must be.
func (p *parser) wrongType(at, want string) *Problem {
	names := map[byte]string{'{': "an object", '[': "an array", '"': "text", 't': "a boolean", 'f': "a boolean", 'n': "null", '-': "a number", '\'': "in single quotes"}
	c := p.peek()
	name, ok := names[c]
	if c >= '0' && c <= '9' {
		name, ok = "a number", true
	}
	if !ok {
		return p.unexpected(want)
	}
	return content("%q is %s: it must be %s", at, name, want)
}

// content is a problem with what a row says.
func content(format string, args ...any) *Problem {
	return &Problem{Kind: Content, Reason: fmt.Sprintf(format, args...)}
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
