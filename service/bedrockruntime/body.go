package bedrockruntime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"outcrop.dev/outcrop"
)

// body reads a native body strictly and collects what is wrong with it, in the words of the
// JSON schema validator whose findings AWS quotes: callers have code that matches them.
// Its methods take the place of a value, such as #/textGenerationConfig/topP, and leave the
// destination as it is, the default, where the value is absent or wrong.
type body struct {
	found      int
	violations []string // the first of them
	hint       string   // follows AWS's words, if there are findings
}

const (
	// violationsMax bounds how many findings a message spells out.
	violationsMax = 10
	// quoteMax bounds the bytes of the caller's text that a finding quotes.
	quoteMax = 100
	// membersMax bounds the members of an object. No body has a tenth of them; 25 MB of
	// them would take a gigabyte.
	membersMax = 1000
)

// violate adds a finding.
func (b *body) violate(at, format string, args ...any) {
	b.found++
	if b.found <= violationsMax {
		b.violations = append(b.violations, at+": "+fmt.Sprintf(format, args...))
	}
}

// err returns all that is wrong as one CodeValidation error, nil if nothing is.
func (b *body) err() error {
	all := strings.Join(b.violations, "; ")
	switch n := b.found; {
	case n == 0:
		return nil
	case n > violationsMax:
		all = fmt.Sprintf("#: %d schema violations found, the first %d: %s", n, violationsMax, all)
	case n > 1:
		all = fmt.Sprintf("#: %d schema violations found: %s", n, all)
	}
	return outcrop.Errorf(outcrop.CodeValidation, "Malformed input request: %s, please reformat your input and try again.%s", all, b.hint)
}

// members returns the members of the object in raw, of which only those named in known may
// be present. It returns nil, and notes why, if raw is not an object.
func (b *body) members(at string, raw []byte, known ...string) map[string]json.RawMessage {
	if !utf8.Valid(raw) {
		b.violate(at, "the text is not UTF-8")
		return nil
	}
	all, err := object(raw)
	if err != nil {
		b.violate(at, "%v", err)
		return nil
	}
	m := make(map[string]json.RawMessage, len(all))
	for _, f := range all {
		if _, twice := m[f.name]; twice {
			b.violate(at, "duplicate key [%s]", shorten(f.name))
		}
		if !slices.Contains(known, f.name) {
			b.violate(at, "extraneous key [%s] is not permitted", shorten(f.name))
		}
		m[f.name] = f.value
	}
	return m
}

// member is one member of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// object splits a JSON object into its members, in their order, which are parts of raw: a body may
// have 25 MB. encoding/json alone would accept names in the wrong case and keep the last of duplicates.
func object(raw []byte) ([]member, error) {
	switch {
	case !json.Valid(raw):
		return nil, whyNotJSON(raw)
	case typeName(raw) != "JSONObject":
		return nil, fmt.Errorf("expected type: JSONObject, found: %s", typeName(raw))
	}
	var all []member
	for rest := opened(raw); len(rest) > 0; {
		if len(all) == membersMax {
			return nil, fmt.Errorf("expected maximum size: %d properties, found: more", membersMax)
		}
		var name, value []byte
		name, rest = nextValue(rest)
		value, rest = nextValue(rest)
		m := member{value: value}
		if err := json.Unmarshal(name, &m.name); err != nil {
			return nil, notJSON(err)
		}
		all = append(all, m)
	}
	return all, nil
}

// whyNotJSON says what is wrong with a text that is no JSON object.
func whyNotJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return notJSON(err)
	}
	return errors.New("there is text after the end of the JSON object")
}

// between is what stands between the values of an object or array.
const between = " \t\r\n,:]}"

// opened is what follows the bracket of a valid object or array, from its first value on.
func opened(raw []byte) []byte {
	return bytes.TrimLeft(bytes.TrimLeft(raw, " \t\r\n")[1:], between)
}

// nextValue takes the first value of valid JSON, and what follows it from the next one on.
func nextValue(rest []byte) (value, after []byte) {
	depth, inString := 0, false
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth == 0 && strings.IndexByte(between, c) >= 0:
			return rest[:i], bytes.TrimLeft(rest[i:], between)
		}
	}
	return rest, nil
}

func notJSON(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the body ends before its JSON does")
	}
	return fmt.Errorf("the body is not JSON: %w", err)
}

// str reads a string of at least lenMin characters.
func (b *body) str(at string, raw json.RawMessage, lenMin int, dst *string) {
	if raw == nil {
		return
	}
	if got := typeName(raw); got != "String" {
		b.violate(at, "expected type: String, found: %s", got)
		return
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		b.violate(at, "%v", notJSON(err))
		return
	}
	if n := utf8.RuneCountInString(s); n < lenMin {
		b.violate(at, "expected minLength: %d, actual: %d", lenMin, n)
		return
	}
	*dst = s
}

// strs reads an array of at most countMax strings of 1 to bytesMax bytes each.
func (b *body) strs(at string, raw json.RawMessage, countMax, bytesMax int, dst *[]string) {
	items, ok := b.array(at, raw, countMax)
	if !ok {
		return
	}
	out := make([]string, len(items))
	for i, item := range items {
		at := at + "/" + strconv.Itoa(i)
		b.str(at, item, 1, &out[i])
		if len(out[i]) > bytesMax {
			b.violate(at, "expected maxLength: %d, actual: %d", bytesMax, len(out[i]))
		}
	}
	*dst = out
}

// array splits an array of at most countMax items.
func (b *body) array(at string, raw json.RawMessage, countMax int) (items []json.RawMessage, ok bool) {
	if raw == nil {
		return nil, false
	}
	if got := typeName(raw); got != "JSONArray" {
		b.violate(at, "expected type: JSONArray, found: %s", got)
		return nil, false
	}
	for rest := opened(raw); len(rest) > 0; {
		if len(items) == countMax {
			b.violate(at, "expected maximum item count: %d, found: more", countMax)
			return nil, false
		}
		var item []byte
		item, rest = nextValue(rest)
		items = append(items, item)
	}
	return items, true
}

// interval is where a number must lie. Both ends belong to it unless loOpen is set.
type interval struct {
	lo, hi float64
	loOpen bool
}

// number reads a number.
func (b *body) number(at string, raw json.RawMessage, in interval, dst *float64) {
	if raw == nil {
		return
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	if typeName(raw) != "Number" || err != nil && !math.IsInf(x, 0) {
		b.violate(at, "expected type: Number, found: %s", typeName(raw))
		return
	}
	if b.within(at, shorten(string(raw)), x, in) {
		*dst = x
	}
}

// integer reads a whole number, written without fraction or exponent.
func (b *body) integer(at string, raw json.RawMessage, lo, hi int64, dst *int64) {
	if raw == nil {
		return
	}
	text := string(raw)
	if typeName(raw) != "Number" || strings.ContainsAny(text, ".eE") {
		b.violate(at, "expected type: Integer, found: %s", typeName(raw))
		return
	}
	n, err := strconv.ParseInt(text, 10, 64) // the nearest where it overflows
	switch {
	case n > hi || err != nil && n == hi:
		b.violate(at, "%s is not less or equal to %d", shorten(text), hi)
	case n < lo || err != nil:
		b.violate(at, "%s is not greater or equal to %d", shorten(text), lo)
	default:
		*dst = n
	}
}

// seed reads a seed, which no AWS model has.
func (b *body) seed(at string, raw []byte, req *outcrop.GenerateRequest) {
	n := int64(-1)
	b.integer(at, raw, 0, math.MaxInt64, &n)
	if n >= 0 {
		seed := uint64(n)
		req.Seed = &seed
	}
}

func (b *body) within(at, text string, x float64, in interval) bool {
	switch {
	case x > in.hi:
		b.violate(at, "%s is not less or equal to %v", text, in.hi)
	case x < in.lo:
		b.violate(at, "%s is not greater or equal to %v", text, in.lo)
	case in.loOpen && x == in.lo:
		b.violate(at, "%s is not greater than %v", text, in.lo)
	default:
		return true
	}
	return false
}

// typeName names the type of a JSON value as the validator does.
func typeName(raw []byte) string {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "JSONObject"
	case '[':
		return "JSONArray"
	case '"':
		return "String"
	case 't', 'f':
		return "Boolean"
	case 'n':
		return "Null"
	}
	return "Number"
}

// shorten cuts s to what a message may quote, at the end of a character.
func shorten(s string) string {
	if len(s) <= quoteMax {
		return s
	}
	return strings.ToValidUTF8(s[:quoteMax], "") + "…"
}
