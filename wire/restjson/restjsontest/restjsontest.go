// Package restjsontest makes requests that break what a service model says, one constraint at a time,
// and requests that are changed at random. It knows no service: it reads the tags of the structs that
// package restjson decodes into.
//
//	for _, q := range restjsontest.Broken(bedrock.API, op, reflect.TypeFor[bedrock.GetCustomModelInput]()) {
//		… // handler must answer q.Request() with an error of the client's that names q.Member
//	}
package restjsontest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"

	"outcrop.dev/outcrop/wire/restjson"
)

// Operation is what api_gen.go says of one.
type Operation struct{ Name, Method, Path string }

var declared = regexp.MustCompile(`Operation\{Name: "(\w+)", Method: "([A-Z]+)", Path: "([^"]+)"`)

// Operations reads them from the api_gen.go of a service.
func Operations(path string) ([]Operation, error) {
	src, err := os.ReadFile(path)
	var all []Operation
	for _, m := range declared.FindAllStringSubmatch(string(src), -1) {
		all = append(all, Operation{m[1], m[2], m[3]})
	}
	return all, err
}

// Inputs returns the input of each operation that a service has a method for, by its name.
func Inputs(service any) map[string]reflect.Type {
	inputs, t := map[string]reflect.Type{}, reflect.TypeOf(service)
	for i := range t.NumMethod() {
		m := t.Method(i)
		for j := range m.Type.NumIn() {
			if in := m.Type.In(j); in.Kind() == reflect.Pointer && in.Elem().Name() == m.Name+"Input" {
				inputs[m.Name] = in.Elem()
			}
		}
	}
	return inputs
}

// Request is a request, and what is wrong with it.
type Request struct {
	What   string // in words
	Member string // the name of the member that the answer must name, if any

	op     Operation
	labels map[string]string
	query  url.Values
	header http.Header
	body   any    // of JSON
	raw    []byte // in place of body, if not nil
}

var label = regexp.MustCompile(`\{[^}]+\}`)

// Request returns it as net/http has it. Labels that nobody set are x.
func (q *Request) Request() (*http.Request, error) {
	path := label.ReplaceAllStringFunc(q.op.Path, func(l string) string {
		if v := q.labels[strings.Trim(l, "{}")]; v != "" {
			return url.PathEscape(v)
		}
		return "x"
	})
	body := q.raw
	if body == nil && q.body != nil {
		var err error
		if body, err = json.Marshal(q.body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequest(q.op.Method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.URL.RawQuery = q.query.Encode()
	for name, values := range q.header {
		r.Header[name] = values
	}
	return r, nil
}

// Broken returns one request for each constraint, type and required member of an operation's input.
func Broken(api *restjson.API, op Operation, input reflect.Type) (all []Request) {
	b := breaker{api}
	for i := range input.NumField() {
		f := input.Field(i)
		for _, x := range b.field(f, nil) {
			q := Request{op: op, What: fmt.Sprintf("%s: %s", op.Name, x.what), Member: x.member}
			if q.put(f, x.value) {
				all = append(all, q)
			}
		}
		if name := f.Tag.Get("json"); name != "" && strings.HasPrefix(f.Tag.Get("check"), "required") {
			all = append(all, Request{op: op, What: fmt.Sprintf("%s: no %s", op.Name, name), Member: name, body: map[string]any{}})
		}
	}
	return all
}

// put sets a member to a value, and says whether it can travel where the member does.
func (q *Request) put(f reflect.StructField, v any) bool {
	if name := f.Tag.Get("json"); name != "" {
		q.body = map[string]any{name: v}
		return true
	}
	text, ok := v.(string)
	if n, number := v.(float64); number {
		text, ok = fmt.Sprint(n), true
	}
	if !ok {
		return false
	}
	if name := f.Tag.Get("query"); name != "" {
		q.query = url.Values{name: {text}}
		return true
	}
	if text == "" || strings.ContainsAny(text, "\x00\x01\n") {
		return false // an empty label is another route, an empty header none, and neither holds a control
	}
	if name := f.Tag.Get("uri"); name != "" {
		q.labels = map[string]string{name: text}
		return true
	}
	if name := f.Tag.Get("header"); name != "" {
		q.header = http.Header{http.CanonicalHeaderKey(name): {text}}
		return true
	}
	return false
}
