package restjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"

	"outcrop.dev/outcrop"
)

// depthMax bounds the nesting of a JSON body. The deepest shape of the API has 12 levels;
// a tool's JSON schema inside it may have many more of its own.
const depthMax = 128

// decoder reads one request and collects what is wrong with it.
type decoder struct {
	data     []byte
	dec      *json.Decoder
	broken   int
	messages []string
}

// errSerialization ends the reading: what follows a value of the wrong type is not read.
func errSerialization(format string, args ...any) error {
	return outcrop.Errorf(CodeSerialization, format, args...)
}

// body reads d.data, a JSON object or nothing, into v.
func (d *decoder) body(s *schema, v any) error {
	present := make([]bool, len(s.fields))
	err := d.object(s, reflect.ValueOf(v).Elem(), present)
	if err != nil {
		return err
	}
	d.checkPresent(nil, s, present)
	return nil
}

// object reads d.data into the body members of a struct and marks those that are present.
func (d *decoder) object(s *schema, v reflect.Value, present []bool) error {
	if len(bytes.TrimSpace(d.data)) == 0 {
		return nil
	}
	if err := wellFormed(d.data); err != nil {
		return err
	}
	d.dec = json.NewDecoder(bytes.NewReader(d.data))
	d.dec.UseNumber()
	token, err := d.dec.Token()
	if err != nil {
		return fmt.Errorf("read JSON that is well formed: %w", err)
	}
	switch token {
	case nil:
		return nil
	case json.Delim('{'):
		return d.members(nil, s, v, present)
	}
	return errSerialization("The request body must be a JSON object, and is %s.", describe(token))
}

// wellFormed says what is wrong with data as JSON.
func wellFormed(data []byte) error {
	if !utf8.Valid(data) {
		return errSerialization("The request body is not valid UTF-8.")
	}
	if depth(data) > depthMax {
		return errSerialization("The request body is nested more than %d levels deep.", depthMax)
	}
	if json.Valid(data) {
		return nil
	}
	var raw json.RawMessage // only its errors are wanted
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(data, &raw), &syntax) {
		return errSerialization("The request body is not valid JSON: %s, at byte %d.", syntax.Error(), syntax.Offset)
	}
	return errSerialization("The request body is not valid JSON.")
}

// depth returns the deepest nesting of brackets outside of strings.
func depth(data []byte) int {
	deepest, now, inString := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// members reads the members of an object whose brace has been read. Unknown ones are
// ignored, as AWS does; of two with the same name the last counts.
func (d *decoder) members(p *place, s *schema, v reflect.Value, present []bool) error {
	for d.dec.More() {
		name, err := d.dec.Token()
		if err != nil {
			return fmt.Errorf("read a member's name: %w", err)
		}
		i, known := s.body[name.(string)]
		if !known {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		f := &s.fields[i]
		ok, err := d.value(&place{up: p, name: f.name}, &f.value, v.Field(f.index))
		if err != nil {
			return err
		}
		present[i] = ok
	}
	return d.closing()
}

func (d *decoder) skip() error {
	var raw json.RawMessage
	return d.dec.Decode(&raw)
}

func (d *decoder) closing() error {
	_, err := d.dec.Token()
	return err
}

// value reads one value into v; ok is false for null.
func (d *decoder) value(p *place, s *shape, v reflect.Value) (ok bool, err error) {
	if s.kind == kindDocument {
		return d.document(v)
	}
	token, err := d.dec.Token()
	if err != nil {
		return false, fmt.Errorf("read a value: %w", err)
	}
	if token == nil {
		v.SetZero()
		return false, nil
	}
	if s.ptr {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch s.kind {
	case kindList:
		return true, d.list(p, s, v, token)
	case kindMap:
		return true, d.mapping(p, s, v, token)
	case kindStruct:
		return true, d.structure(p, s.sub, v, token)
	}
	return true, d.scalar(p, s, v, token)
}

func (d *decoder) document(v reflect.Value) (ok bool, err error) {
	var raw json.RawMessage
	if err := d.dec.Decode(&raw); err != nil {
		return false, fmt.Errorf("read a document: %w", err)
	}
	if string(raw) == "null" {
		return false, nil
	}
	v.SetBytes(raw)
	return true, nil
}

func (d *decoder) structure(p *place, s *schema, v reflect.Value, token json.Token) error {
	if token != json.Delim('{') {
		return mismatch(p, token, "a structure")
	}
	v.SetZero()
	present := make([]bool, len(s.fields))
	if err := d.members(p, s, v, present); err != nil {
		return err
	}
	d.checkPresent(p, s, present)
	return nil
}

func (d *decoder) list(p *place, s *shape, v reflect.Value, token json.Token) error {
	if token != json.Delim('[') {
		return mismatch(p, token, "a list")
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i := 0; d.dec.More(); i++ {
		elem := reflect.New(v.Type().Elem()).Elem()
		at := p.item(i)
		ok, err := d.value(at, s.elem, elem)
		if err != nil {
			return err
		}
		if !ok {
			d.violated(at, "null ", "not be null")
		}
		v.Set(reflect.Append(v, elem))
	}
	d.checkLen(p, &s.rule, "", v.Len())
	return d.closing()
}

func (d *decoder) mapping(p *place, s *shape, v reflect.Value, token json.Token) error {
	if token != json.Delim('{') {
		return mismatch(p, token, "a map")
	}
	v.Set(reflect.MakeMap(v.Type()))
	for d.dec.More() {
		name, err := d.dec.Token()
		if err != nil {
			return fmt.Errorf("read a key: %w", err)
		}
		key := name.(string)
		at := &place{up: p, name: key}
		d.checkString(at, &s.key, key)
		elem := reflect.New(v.Type().Elem()).Elem()
		ok, err := d.value(at, s.elem, elem)
		if err != nil {
			return err
		}
		if !ok {
			d.violated(at, "null ", "not be null")
		}
		v.SetMapIndex(reflect.ValueOf(key), elem)
	}
	d.checkLen(p, &s.rule, "", v.Len())
	return d.closing()
}

// scalar reads a value that is one token.
func (d *decoder) scalar(p *place, s *shape, v reflect.Value, token json.Token) error {
	switch t := token.(type) {
	case string:
		return d.text(p, s, v, t, token)
	case bool:
		if s.kind == kindBool {
			v.SetBool(t)
			return nil
		}
	case json.Number:
		if s.kind == kindInt || s.kind == kindFloat || s.kind == kindTime {
			return d.number(p, s, v, t.String())
		}
	}
	return mismatch(p, token, wanted[s.kind])
}

// text reads a JSON string, which is also how times and blobs travel.
func (d *decoder) text(p *place, s *shape, v reflect.Value, text string, token json.Token) error {
	switch s.kind {
	case kindString:
		v.SetString(text)
		d.checkString(p, &s.rule, text)
	case kindTime:
		t, ok := parseTime(text)
		if !ok {
			return errSerialization("The value %sat '%s' is not a time: write it as 2006-01-02T15:04:05Z.", quoted(text), p)
		}
		v.Set(reflect.ValueOf(t))
	case kindBlob:
		blob, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return errSerialization("The value at '%s' is not base64.", p)
		}
		v.SetBytes(blob)
		d.checkLen(p, &s.rule, "", len(blob))
	default:
		return mismatch(p, token, wanted[s.kind])
	}
	return nil
}

func (d *decoder) number(p *place, s *shape, v reflect.Value, text string) error {
	switch s.kind {
	case kindTime:
		t, ok := parseEpoch(text)
		if !ok {
			return errSerialization("The value %sat '%s' is not a time: write it as 2006-01-02T15:04:05Z.", quoted(text), p)
		}
		v.Set(reflect.ValueOf(t))
	case kindInt:
		n, err := strconv.ParseInt(text, 10, intBits(v))
		if err != nil {
			return errSerialization("The value %sat '%s' is not an integer of %d bits.", quoted(text), p, intBits(v))
		}
		v.SetInt(n)
		d.checkRange(p, &s.rule, float64(n))
	default:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return errSerialization("The value %sat '%s' is not a number that a 64-bit float can hold.", quoted(text), p)
		}
		v.SetFloat(x)
		d.checkRange(p, &s.rule, x)
	}
	return nil
}

// intBits is the size of a number on the wire: a Go int is the service model's integer, an
// int64 its long.
func intBits(v reflect.Value) int {
	if v.Kind() == reflect.Int64 {
		return 64
	}
	return 32
}

// wanted describes a kind to a person.
var wanted = map[kind]string{
	kindString: "a string", kindBool: "a Boolean", kindInt: "an integer", kindFloat: "a number",
	kindTime: "a timestamp", kindBlob: "a base64 string",
}

func mismatch(p *place, token json.Token, want string) error {
	return errSerialization("The value at '%s' must be %s, and is %s.", p, want, describe(token))
}

func describe(token json.Token) string {
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return "an object"
		}
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a Boolean"
	case nil:
		return "null"
	}
	return "a number"
}
