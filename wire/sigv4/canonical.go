package sigv4

import (
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest builds the text whose hash is signed. path is canonical already; query
// lacks X-Amz-Signature.
func canonicalRequest(r *http.Request, s signed, path string, query pairs, payloadHash string) string {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(path)
	b.WriteByte('\n')
	b.WriteString(query.canonical())
	b.WriteByte('\n')
	for _, name := range s.headers {
		b.WriteString(name)
		b.WriteByte(':')
		b.WriteString(headerValue(r, name))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(s.headers, ";"))
	b.WriteByte('\n')
	b.WriteString(payloadHash)
	return b.String()
}

// rawPath returns the path as it came over the wire, still escaped.
func rawPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	if p := r.URL.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

// normalize takes the dots and the empty segments out of a raw path (RFC 3986, 5.2.4). A slash at
// its end stays.
func normalize(raw string) string {
	clean := path.Clean("/" + raw)
	if clean != "/" && (strings.HasSuffix(raw, "/") || strings.HasSuffix(raw, "/.") || strings.HasSuffix(raw, "/..")) {
		clean += "/"
	}
	return clean
}

// What becomes of "%" in a path: S3 signs a path escaped once, everyone else escapes the
// escaped path again, so that %3A becomes %253A.
const (
	keepEscapes = true
	escapeAgain = false
)

// escapePath escapes everything in a raw path but the unreserved characters and slashes.
func escapePath(raw string, keep bool) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case keep && c == '%' && i+2 < len(raw):
			b.WriteString(strings.ToUpper(raw[i : i+3]))
			i += 2
		case c == '/' || isUnreserved(c):
			b.WriteByte(c)
		default:
			writeEscaped(&b, c)
		}
	}
	return b.String()
}

// headerValue returns the canonical value of a signed header: values joined by commas, runs
// of white space made one space. net/http takes some headers out of the map.
func headerValue(r *http.Request, name string) string {
	var values []string
	switch name {
	case "host", ":authority":
		values = []string{r.Host}
	case "content-length":
		values = r.Header["Content-Length"]
		if values == nil && r.ContentLength >= 0 {
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
	case "transfer-encoding":
		values = r.TransferEncoding
	default:
		values = r.Header.Values(name)
	}
	clean := make([]string, len(values))
	for i, v := range values {
		clean[i] = strings.Join(strings.FieldsFunc(v, func(c rune) bool { return c == ' ' || c == '\t' }), " ")
	}
	return strings.Join(clean, ",")
}

// pair is one query parameter, unescaped.
type pair struct{ key, value string }

type pairs []pair

// canonicalQueryPairs splits a raw query. A parameter without "=" has an empty value. "+"
// is a space, as in url.ParseQuery; a bad escape stands for itself, and so never matches
// what a signer made of it.
func canonicalQueryPairs(raw string) pairs {
	var p pairs
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		p = append(p, pair{unescape(k), unescape(v)})
	}
	return p
}

func (p pairs) has(key string) bool { return p.count(key) > 0 }

func (p pairs) count(key string) int {
	n := 0
	for _, x := range p {
		if x.key == key {
			n++
		}
	}
	return n
}

func (p pairs) get(key string) string {
	for _, x := range p {
		if x.key == key {
			return x.value
		}
	}
	return ""
}

func (p pairs) without(key string) pairs {
	return slices.DeleteFunc(slices.Clone(p), func(x pair) bool { return x.key == key })
}

// canonical escapes the parameters again and sorts them by escaped name, then value.
func (p pairs) canonical() string {
	q := make(pairs, len(p))
	for i, x := range p {
		q[i] = pair{escape(x.key), escape(x.value)}
	}
	slices.SortFunc(q, func(a, b pair) int {
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, x := range q {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(x.key + "=" + x.value)
	}
	return b.String()
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isUnreserved reports whether RFC 3986 section 2.3 leaves c as it is.
func isUnreserved(c byte) bool {
	return isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

func writeEscaped(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

// escape is AWS's UriEncode: everything but the unreserved characters.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if isUnreserved(s[i]) {
			b.WriteByte(s[i])
		} else {
			writeEscaped(&b, s[i])
		}
	}
	return b.String()
}

// unescape undoes percent-escapes; "+" is a space and a bad escape stands for itself.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s):
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				c = hi<<4 | lo
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
