package restjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// answer is an operation's output as it goes on the wire.
type answer struct {
	header http.Header
	body   []byte
}

// encodeOutput writes v, a pointer to the struct of s. A struct without body members gives
// an empty JSON object, which every SDK reads as nothing.
func encodeOutput(s *schema, v any) (answer, error) {
	a := answer{header: http.Header{}}
	target := reflect.ValueOf(v).Elem()
	for i := range s.fields {
		f := &s.fields[i]
		if f.in == inHeader && !absent(f, target.Field(f.index)) {
			a.header.Set(f.name, headerText(&f.value, target.Field(f.index)))
		}
	}
	if s.blob >= 0 {
		a.body = target.Field(s.fields[s.blob].index).Bytes()
		return a, nil
	}
	var err error
	a.body, err = encodeBody(s, v)
	return a, err
}

func encodeBody(s *schema, v any) ([]byte, error) {
	e := encoder{}
	if err := e.structure(s, reflect.ValueOf(v).Elem()); err != nil {
		return nil, err
	}
	return e.buf.Bytes(), nil
}

// headerText is a header member's value.
func headerText(s *shape, v reflect.Value) string {
	if s.ptr {
		v = v.Elem()
	}
	if t, ok := v.Interface().(time.Time); ok {
		return formatTime(t)
	}
	return fmt.Sprint(v.Interface())
}

// absent reports whether a member is left out. Zero numbers and booleans are absent only as
// nil pointers; a list or map that is empty but not nil is sent.
func absent(f *field, v reflect.Value) bool {
	switch f.value.kind {
	case kindBool, kindInt, kindFloat:
		return f.value.ptr && v.IsNil()
	case kindList, kindMap:
		return v.IsNil() && !f.required
	case kindString:
		return v.IsZero() && !f.required
	}
	return v.IsZero()
}

type encoder struct{ buf bytes.Buffer }

func (e *encoder) structure(s *schema, v reflect.Value) error {
	e.buf.WriteByte('{')
	n := 0
	for i := range s.fields {
		f := &s.fields[i]
		if f.in != inBody || absent(f, v.Field(f.index)) {
			continue
		}
		if n > 0 {
			e.buf.WriteByte(',')
		}
		n++
		e.text(f.name)
		e.buf.WriteByte(':')
		if err := e.value(&f.value, v.Field(f.index)); err != nil {
			return err
		}
	}
	if s.union && n != 1 {
		return fmt.Errorf("the union %s has %d members set, not one", s.name, n)
	}
	e.buf.WriteByte('}')
	return nil
}

func (e *encoder) value(s *shape, v reflect.Value) error {
	if s.ptr {
		v = v.Elem()
	}
	switch s.kind {
	case kindString:
		e.text(v.String())
	case kindBool:
		e.buf.WriteString(strconv.FormatBool(v.Bool()))
	case kindInt:
		e.buf.WriteString(strconv.FormatInt(v.Int(), 10))
	case kindFloat:
		e.float(v.Float())
	case kindTime:
		e.text(formatTime(v.Interface().(time.Time)))
	case kindBlob:
		e.text(base64.StdEncoding.EncodeToString(v.Bytes()))
	case kindDocument:
		e.buf.Write(v.Bytes())
	case kindList:
		return e.list(s, v)
	case kindMap:
		return e.mapping(s, v)
	default:
		return e.structure(s.sub, v)
	}
	return nil
}

func (e *encoder) list(s *shape, v reflect.Value) error {
	e.buf.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			e.buf.WriteByte(',')
		}
		if err := e.value(s.elem, v.Index(i)); err != nil {
			return err
		}
	}
	e.buf.WriteByte(']')
	return nil
}

// mapping writes keys in order, so that equal answers are equal bytes.
func (e *encoder) mapping(s *shape, v reflect.Value) error {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return bytes.Compare([]byte(a.String()), []byte(b.String())) })
	e.buf.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			e.buf.WriteByte(',')
		}
		e.text(key.String())
		e.buf.WriteByte(':')
		if err := e.value(s.elem, v.MapIndex(key)); err != nil {
			return err
		}
	}
	e.buf.WriteByte('}')
	return nil
}

// text writes a JSON string; < > & stay as they are, as AWS writes them.
func (e *encoder) text(s string) {
	enc := json.NewEncoder(&e.buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)               // strings always encode
	e.buf.Truncate(e.buf.Len() - 1) // the newline
}

// float writes a number; those that JSON lacks are strings (restJson1, "Float").
func (e *encoder) float(x float64) {
	switch {
	case math.IsNaN(x):
		e.buf.WriteString(`"NaN"`)
	case math.IsInf(x, 1):
		e.buf.WriteString(`"Infinity"`)
	case math.IsInf(x, -1):
		e.buf.WriteString(`"-Infinity"`)
	default:
		b, _ := json.Marshal(x) // finite numbers always marshal
		e.buf.Write(b)
	}
}
