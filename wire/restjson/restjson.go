// Package restjson serves AWS's restJson1 protocol: it decodes a request into a Go struct
// by the struct's tags, checks the constraints of the service model, calls a function, and
// writes its answer or its error as the AWS SDKs expect them.
//
// It knows no service. A service's api_gen.go (written by internal/awsgen) declares the
// structs and calls Handle for each operation:
//
//	type GetThingInput struct {
//		ThingName string `uri:"thingName" check:"required,len:1..63,pattern:ThingName"`
//		Verbose   *bool  `query:"verbose"`
//	}
//	op := restjson.Operation{Name: "GetThing", Method: "GET", Path: "/things/{thingName}", Status: 200,
//		Action: "x:GetThing", Resource: "thing/{thingName}"}
//	restjson.Handle(router, api, op, s.GetThing)
//
// Tags: json, uri, query, header and payload say where a member travels, under which name.
// check holds its constraints, item those of a list's members or a map's values, key those
// of a map's keys. They are comma-separated: required, len:1..63, range:1..1000,
// pattern:NAME and enum:NAME, where NAME is a key of API.Patterns or API.Enums, and either
// end of .. may be missing.
//
// Members are strings, []byte, json.RawMessage (a document), time.Time, slices, maps with
// string keys and pointers to structs, all absent when zero, and numbers and booleans,
// which are pointers where zero and absent differ. A struct that embeds Union has exactly
// one member set.
package restjson

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"outcrop.dev/outcrop"
)

// JSONBodyMax bounds a JSON request body where API.BodyMax does not: the largest call of
// the control plane, 400 tags of 384 characters, needs less than a quarter of it.
const JSONBodyMax = 1 << 20

// API is what the operations of one service share.
type API struct {
	Patterns map[string]string   // regular expressions, matched whole
	Also     map[string]string   // what is accepted beyond a pattern, by its name; messages do not show it
	Enums    map[string][]string // values, in the service model's order
	BodyMax  int64               // bytes of a request body; 0 means JSONBodyMax
}

// Operation is one operation of a service model.
type Operation struct {
	Name   string // such as GetCustomModel
	Method string
	Path   string // an http.ServeMux path: /custom-models/{modelIdentifier}
	Status int    // of a success
	Action string // what its caller must be allowed, as IAM writes it: bedrock:GetCustomModel
	// Resource is what the action is on: "*", or the member of the request that names it.
	// "{resourceARN}" holds an ARN. "custom-model/{modelIdentifier}" holds an ARN, or the name or
	// the id of a custom model. "foundation-model|custom-model/{modelId}" may also hold the id of a
	// foundation model: one with a dot, as no name has.
	Resource string
	Errors   []outcrop.Code
}

// Handle serves an operation: it decodes an In, asks whether its caller may do that, checks it,
// calls f, and writes the Out that f returns. It panics if the tags of In or Out are wrong, if the
// operation does not say what its caller must be allowed, or if the route is taken.
func Handle[In, Out any](r *Router, api *API, op Operation, f func(context.Context, *In) (*Out, error)) {
	in, out := schemaFor[In](api), schemaFor[Out](api)
	p := permissionOf(op, in)
	r.handle(op, func(w http.ResponseWriter, req *http.Request) error {
		v := new(In)
		if err := admit(req, api, in, p, v); err != nil {
			return err
		}
		answer, err := f(req.Context(), v)
		if err != nil {
			return err
		}
		var paths *strings.Replacer
		if op.Method == http.MethodGet {
			paths = r.paths
		}
		return writeOutput(w, op.Status, out, answer, paths)
	})
}

// HandleStream serves an operation whose answer f writes itself, an event stream say. An
// error that f returns before it has written anything is answered as any other; one that it
// returns later can only be logged, so f must report its errors inside the stream.
func HandleStream[In any](r *Router, api *API, op Operation, f func(context.Context, *In, http.ResponseWriter) error) {
	in := schemaFor[In](api)
	p := permissionOf(op, in)
	r.handle(op, func(w http.ResponseWriter, req *http.Request) error {
		v := new(In)
		if err := admit(req, api, in, p, v); err != nil {
			return err
		}
		return f(req.Context(), v, w)
	})
}

// HandleUnimplemented routes an operation of the service model that we do not have, so that
// its caller learns its name and is not told to try again.
//
// The answer is ValidationException where the operation's model lists it and
// AccessDeniedException, which every operation lists, where it does not: both are modelled,
// so that typed clients know them, and no SDK retries them, as all do with a status of 500
// or more and with throttling.
func HandleUnimplemented(r *Router, op Operation) {
	answer, p := Unimplemented(op), permissionOf(op, nil)
	r.handle(op, func(_ http.ResponseWriter, req *http.Request) error {
		if err := p.check(req, nil); err != nil {
			return err
		}
		return answer
	})
}

// Unimplemented returns the error that HandleUnimplemented answers.
func Unimplemented(op Operation) error {
	code := outcrop.CodeAccessDenied
	for _, c := range op.Errors {
		if c == outcrop.CodeValidation {
			code = c
		}
	}
	return outcrop.Errorf(code, "Outcrop does not implement the operation %s.", op.Name)
}

// Unmarshal reads one JSON object into v, a pointer to a struct with tags, with the same
// strictness as a request body, and checks its constraints. CodeValidation or
// CodeSerialization.
func Unmarshal[T any](api *API, data []byte, v *T) error {
	d := decoder{data: data}
	if err := d.body(schemaFor[T](api), v); err != nil {
		return err
	}
	return d.violations()
}

// Marshal returns v, a pointer to a struct with tags, as a JSON object: absent members are
// omitted, times are ISO 8601 strings. The error is a union with no or several members.
func Marshal[T any](api *API, v *T) ([]byte, error) {
	return encodeBody(schemaFor[T](api), v)
}

// readBody reads a request body of at most max bytes. CodeValidation for a longer one and
// for one that ends early.
func readBody(req *http.Request, max int64) ([]byte, error) {
	tooLong := outcrop.Errorf(outcrop.CodeValidation, "The request body is longer than %d bytes, the most that this operation takes.", max)
	if req.ContentLength > max {
		return nil, tooLong
	}
	if whole, ok := req.Body.(interface{ Bytes() []byte }); ok && req.ContentLength >= 0 {
		return whole.Bytes(), nil // in memory once already, and its length is told
	}
	data, err := io.ReadAll(io.LimitReader(req.Body, max+1))
	if known := (*outcrop.Error)(nil); errors.As(err, &known) {
		return nil, err // whoever checks the body on its way has found something
	}
	if err != nil {
		return nil, &outcrop.Error{Code: outcrop.CodeValidation, Msg: "The request body ended before it was complete.", Err: err}
	}
	if int64(len(data)) > max {
		return nil, tooLong
	}
	return data, nil
}

func writeOutput(w http.ResponseWriter, status int, s *schema, v any, paths *strings.Replacer) error {
	a, err := encodeOutput(s, v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	if paths != nil {
		a.body = []byte(paths.Replace(string(a.body)))
	}
	h := w.Header()
	for name, value := range a.header {
		h[name] = value
	}
	if len(a.body) > 0 && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	h.Set("Content-Length", fmt.Sprint(len(a.body)))
	w.WriteHeader(status)
	_, _ = w.Write(a.body) // the caller has gone; there is nobody to tell
	return nil
}
