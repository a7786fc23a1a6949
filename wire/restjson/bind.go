package restjson

import (
	"net/http"
	"net/url"
	"reflect"
	"strconv"

	"outcrop.dev/outcrop"
)

// admit reads a request into v, a pointer to the struct of s, asks whether its caller may do what
// it says, and checks it. Whoever may not does not learn which constraints it breaks.
func admit(req *http.Request, api *API, s *schema, p permission, v any) error {
	d := decoder{}
	if err := d.request(req, api, s, v); err != nil {
		return err
	}
	if err := p.check(req, v); err != nil {
		return err
	}
	return d.violations()
}

// request reads a request into v and collects which constraints it breaks.
func (d *decoder) request(req *http.Request, api *API, s *schema, v any) error {
	target := reflect.ValueOf(v).Elem()
	present := make([]bool, len(s.fields))
	if err := d.readBodyInto(req, api, s, target, present); err != nil {
		return err
	}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return outcrop.Errorf(outcrop.CodeValidation, "The query string of the request is not well formed: %v.", err)
	}
	for i, f := range s.fields {
		if text, ok := bound(req, query, &f); ok {
			d.bind(&f, target.Field(f.index), text)
			present[i] = true
		}
	}
	d.checkPresent(nil, s, present)
	return nil
}

// readBodyInto reads the payload, or the JSON body, of an operation that has one.
func (d *decoder) readBodyInto(req *http.Request, api *API, s *schema, target reflect.Value, present []bool) error {
	if s.blob < 0 && len(s.body) == 0 {
		return nil
	}
	limit := api.BodyMax
	if limit == 0 {
		limit = JSONBodyMax
	}
	data, err := readBody(req, limit)
	if err != nil {
		return err
	}
	if s.blob < 0 {
		d.data = data
		return d.object(s, target, present)
	}
	f := &s.fields[s.blob]
	target.Field(f.index).SetBytes(data)
	d.checkLen(&place{name: f.name}, &f.value.rule, "", len(data))
	present[s.blob] = len(data) > 0
	return nil
}

// bound returns the text of a member that travels outside of the body.
func bound(req *http.Request, query url.Values, f *field) (string, bool) {
	switch f.in {
	case inURI:
		return req.PathValue(f.name), true
	case inQuery:
		return query.Get(f.name), query.Has(f.name)
	case inHeader:
		values := req.Header.Values(f.name)
		if len(values) == 0 || values[0] == "" {
			return "", false // an empty header says nothing
		}
		return values[0], true
	}
	return "", false
}

// bind reads a member from its text.
func (d *decoder) bind(f *field, v reflect.Value, text string) {
	p := &place{name: f.name}
	s := &f.value
	if s.ptr {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch s.kind {
	case kindString:
		v.SetString(text)
		d.checkString(p, &s.rule, text)
	case kindTime:
		t, ok := parseTime(text)
		if !ok {
			d.violated(p, quoted(text), "be a timestamp such as 2006-01-02T15:04:05Z")
			return
		}
		v.Set(reflect.ValueOf(t))
	case kindInt:
		n, err := strconv.ParseInt(text, 10, intBits(v))
		if err != nil {
			d.violated(p, quoted(text), "be an integer")
			return
		}
		v.SetInt(n)
		d.checkRange(p, &s.rule, float64(n))
	case kindBool:
		b := text == "true"
		if !b && text != "false" {
			d.violated(p, quoted(text), "be true or false")
			return
		}
		v.SetBool(b)
	default:
		panic("restjson: " + f.name + " has a type that cannot travel outside of the body")
	}
}
