package restjson

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

// testAPI and the thing operations below are a small service that has every kind of member
// in every place where it may travel.
var testAPI = &API{
	Patterns: map[string]string{"Name": `[a-z]+`, "Label": `[a-z]+|arn:[a-z:/]+`},
	Enums:    map[string][]string{"Order": {"Ascending", "Descending"}},
	BodyMax:  4096,
}

type choice struct {
	Union
	Text *string `json:"text"`
	Sub  *leaf   `json:"sub"`
}

type leaf struct {
	Name  string  `json:"name" check:"required,len:1..3,pattern:Name"`
	Again *choice `json:"again"`
}

type thingInput struct {
	ID     string            `uri:"id" check:"required,pattern:Label"`
	Limit  *int              `query:"limit" check:"range:1..10"`
	After  time.Time         `query:"after"`
	Owned  *bool             `query:"owned"`
	Trace  string            `header:"X-Trace" check:"enum:Order"`
	Name   string            `json:"name" check:"required,len:..5"`
	Long   *int64            `json:"long"`
	Ratio  *float64          `json:"ratio" check:"range:0..1"`
	At     time.Time         `json:"at"`
	Blob   []byte            `json:"blob" check:"len:..4"`
	Doc    json.RawMessage   `json:"doc"`
	Leaves []leaf            `json:"leaves" check:"len:1..2"`
	Map    map[string]string `json:"map" key:"len:..3" item:"len:..3"`
	Choice *choice           `json:"choice"`
}

type thingOutput struct {
	Header   string            `header:"X-Out"`
	Name     string            `json:"name" check:"required"`
	Empty    string            `json:"empty"`
	Count    *int              `json:"count"`
	Ratio    *float64          `json:"ratio"`
	At       time.Time         `json:"at"`
	Required []string          `json:"required" check:"required"`
	List     []leaf            `json:"list"`
	Map      map[string]string `json:"map"`
	Blob     []byte            `json:"blob"`
	Doc      json.RawMessage   `json:"doc"`
	Choice   *choice           `json:"choice"`
}

type blobInput struct {
	ID   string `uri:"id" check:"required"`
	Body []byte `payload:"body" check:"required,len:..4096"`
	Type string `header:"Content-Type"`
}

type blobOutput struct {
	Body []byte `payload:"body"`
	Type string `header:"Content-Type"`
	N    *int   `header:"X-N"`
}

var thingOp = Operation{Name: "PutThing", Method: "POST", Path: "/things/{id}", Status: 201,
	Action: "x:PutThing", Resource: "thing/{id}", Errors: []outcrop.Code{outcrop.CodeValidation}}

// serve returns a server with the test operations and what it logs. f answers PutThing.
func serve(t *testing.T, f func(context.Context, *thingInput) (*thingOutput, error)) (*httptest.Server, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	var n atomic.Int64
	r := NewRouter(func() string { return fmt.Sprint("id-", n.Add(1)) }, slog.New(slog.NewTextHandler(log, nil)))
	Handle(r, testAPI, thingOp, f)
	Handle(r, testAPI, Operation{Name: "StopThing", Method: "POST", Path: "/things/{id}/stop", Status: 200, Action: "x:StopThing", Resource: "*"},
		func(_ context.Context, in *stopInput) (*thingOutput, error) {
			return &thingOutput{Name: "stop " + in.ID}, nil
		})
	Handle(r, testAPI, Operation{Name: "Echo", Method: "PUT", Path: "/blobs/{id}", Status: 200, Action: "x:Echo", Resource: "*"},
		func(_ context.Context, in *blobInput) (*blobOutput, error) {
			n := len(in.Body)
			return &blobOutput{Body: in.Body, Type: in.Type, N: &n}, nil
		})
	HandleUnimplemented(r, Operation{Name: "GetOther", Method: "GET", Path: "/others", Action: "x:GetOther", Resource: "*", Errors: []outcrop.Code{outcrop.CodeValidation}})
	HandleUnimplemented(r, Operation{Name: "GetLess", Method: "GET", Path: "/less", Action: "x:GetLess", Resource: "*"})
	s := httptest.NewServer(called(r))
	t.Cleanup(s.Close)
	return s, log
}

// called stands for the server's authentication.
func called(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(outcrop.WithCaller(r.Context(), outcrop.Caller{Account: "123456789012", Region: "us-east-1"})))
	})
}

type stopInput struct {
	ID string `uri:"id" check:"required"`
}

// call makes one request and returns its status, its error code and its body.
func call(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("x-amzn-requestid") == "" {
		t.Errorf("%s %s: no x-amzn-requestid", method, url)
	}
	return resp, string(b)
}

// message is what an error's body says.
func message(body string) string {
	var e struct{ Message string }
	_ = json.Unmarshal([]byte(body), &e)
	return e.Message
}

func TestDecode(t *testing.T) {
	t.Parallel()
	var got *thingInput
	s, _ := serve(t, func(_ context.Context, in *thingInput) (*thingOutput, error) {
		got = in
		return &thingOutput{}, nil
	})
	resp, body := call(t, "POST", s.URL+"/things/arn%3Aa%2Fb?limit=10&after=2025-01-01T00%3A00%3A00Z&owned=false&x-id=Put",
		`{"name":"aé😀","long":9007199254740993,"ratio":1,"at":"2025-01-02T03:04:05.678+01:00","blob":"AAEC","doc":{"b":1,"a":[1e400]},
		 "leaves":[{"name":"abc"},{"name":"x","again":{"sub":{"name":"y"}}}],"map":{"k":"v"},"choice":{"text":""},"later":{"not":["known"]},"Name":5}`,
		"X-Trace", "Ascending")
	if resp.StatusCode != 201 {
		t.Fatalf("status %d: %s", resp.StatusCode, body)
	}
	if got.ID != "arn:a/b" || *got.Limit != 10 || *got.Owned || !got.After.Equal(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)) || got.Trace != "Ascending" {
		t.Errorf("outside of the body: %+v", got)
	}
	if got.Name != "aé😀" || *got.Long != 9007199254740993 || *got.Ratio != 1 || string(got.Blob) != "\x00\x01\x02" || string(got.Doc) != `{"b":1,"a":[1e400]}` {
		t.Errorf("in the body: %+v", got)
	}
	if !got.At.Equal(time.Date(2025, 1, 2, 2, 4, 5, 678e6, time.UTC)) {
		t.Errorf("at = %v", got.At)
	}
	if len(got.Leaves) != 2 || got.Leaves[1].Again.Sub.Name != "y" || got.Map["k"] != "v" || got.Choice.Text == nil {
		t.Errorf("structures: %+v", got)
	}
}

func TestViolations(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, func(context.Context, *thingInput) (*thingOutput, error) { return &thingOutput{}, nil })
	for name, test := range map[string]struct{ path, body, want string }{
		"required":  {"/things/a", ``, "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"},
		"null":      {"/things/a", `{"name":null}`, "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"},
		"pattern":   {"/things/A", `{"name":"x"}`, "1 validation error detected: Value 'A' at 'id' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+|arn:[a-z:/]+"},
		"whole":     {"/things/aA", `{"name":"x"}`, "Value 'aA' at 'id'"},
		"length":    {"/things/a", `{"name":"éééééé"}`, "Value 'éééééé' at 'name' failed to satisfy constraint: Member must have length less than or equal to 5"},
		"low":       {"/things/a?limit=0", `{"name":"x"}`, "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"high":      {"/things/a?limit=11", `{"name":"x"}`, "Value '11' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10"},
		"number":    {"/things/a?limit=ten", `{"name":"x"}`, "Value 'ten' at 'limit' failed to satisfy constraint: Member must be an integer"},
		"ratio":     {"/things/a", `{"name":"x","ratio":1.5}`, "Value '1.5' at 'ratio' failed to satisfy constraint: Member must have value less than or equal to 1"},
		"time":      {"/things/a?after=noon", `{"name":"x"}`, "Value 'noon' at 'after'"},
		"boolean":   {"/things/a?owned=TRUE", `{"name":"x"}`, "Value 'TRUE' at 'owned'"},
		"list":      {"/things/a", `{"name":"x","leaves":[]}`, "Value at 'leaves' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"long list": {"/things/a", `{"name":"x","leaves":[{"name":"a"},{"name":"b"},{"name":"c"}]}`, "have length less than or equal to 2"},
		"null item": {"/things/a", `{"name":"x","leaves":[null]}`, "Value null at 'leaves.1.member'"},
		"nested":    {"/things/a", `{"name":"x","leaves":[{"name":"a"},{"name":"UP"}]}`, "Value 'UP' at 'leaves.2.member.name'"},
		"map key":   {"/things/a", `{"name":"x","map":{"long":"v"}}`, "Value 'long' at 'map.long'"},
		"map value": {"/things/a", `{"name":"x","map":{"k":"long"}}`, "Value 'long' at 'map.k'"},
		"blob":      {"/things/a", `{"name":"x","blob":"AAAAAAA="}`, "Value at 'blob' failed to satisfy constraint: Member must have length less than or equal to 4"},
		"no choice": {"/things/a", `{"name":"x","choice":{}}`, "Value at 'choice' failed to satisfy constraint: Member must have exactly one of its 2 alternatives set, and has 0"},
		"both":      {"/things/a", `{"name":"x","choice":{"text":"t","sub":{"name":"y"}}}`, "and has 2"},
		"several":   {"/things/A?limit=11", `{"leaves":[]}`, "4 validation errors detected: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, body := call(t, "POST", s.URL+test.path, test.body)
			if resp.StatusCode != 400 || resp.Header.Get("x-amzn-ErrorType") != "ValidationException" || !strings.Contains(message(body), test.want) {
				t.Errorf("%d %s\n got %s\nwant %s", resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"), message(body), test.want)
			}
		})
	}
}

func TestSerializationErrors(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, func(context.Context, *thingInput) (*thingOutput, error) { return &thingOutput{}, nil })
	nested := func(n int) string {
		return `{"name":"x","doc":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	for name, test := range map[string]struct {
		body, want string
		status     int
	}{
		"no json":    {`{"name":`, "The request body is not valid JSON", 400},
		"trailing":   {`{"name":"x"} {}`, "The request body is not valid JSON", 400},
		"utf8":       {"{\"name\":\"\xff\"}", "not valid UTF-8", 400},
		"list":       {`[]`, "must be a JSON object, and is a list", 400},
		"string":     {`"x"`, "must be a JSON object, and is a string", 400},
		"type":       {`{"name":5}`, "The value at 'name' must be a string, and is a number.", 400},
		"structure":  {`{"name":"x","choice":[]}`, "The value at 'choice' must be a structure, and is a list.", 400},
		"no list":    {`{"name":"x","leaves":{}}`, "The value at 'leaves' must be a list, and is an object.", 400},
		"no map":     {`{"name":"x","map":true}`, "The value at 'map' must be a map, and is a Boolean.", 400},
		"map value":  {`{"name":"x","map":{"k":3}}`, "The value at 'map.k' must be a string, and is a number.", 400},
		"fraction":   {`{"name":"x","long":1.5}`, "The value '1.5' at 'long' is not an integer", 400},
		"overflow":   {`{"name":"x","long":9223372036854775808}`, "not an integer of 64 bits", 400},
		"huge float": {`{"name":"x","ratio":1e999}`, "The value '1e999' at 'ratio'", 400},
		"base64":     {`{"name":"x","blob":"?"}`, "The value at 'blob' is not base64", 400},
		"time":       {`{"name":"x","at":"noon"}`, "The value 'noon' at 'at' is not a time", 400},
		"epoch":      {`{"name":"x","at":1e300}`, "is not a time", 400},
		"depth":      {nested(depthMax), "", 201},
		"depth + 1":  {nested(depthMax + 1), "nested more than 128 levels", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, body := call(t, "POST", s.URL+"/things/a", test.body)
			if resp.StatusCode != test.status || !strings.Contains(message(body), test.want) {
				t.Fatalf("%d\n got %s\nwant %s", resp.StatusCode, message(body), test.want)
			}
			if test.status == 400 && resp.Header.Get("x-amzn-ErrorType") != "SerializationException" {
				t.Errorf("code %s", resp.Header.Get("x-amzn-ErrorType"))
			}
		})
	}
}

func TestEpochSeconds(t *testing.T) {
	t.Parallel()
	in := &thingInput{}
	if err := Unmarshal(testAPI, []byte(`{"name":"x","at":1735689600.25}`), in); err == nil || !strings.Contains(err.Error(), "'id'") {
		t.Errorf("the label is required: %v", err)
	}
	if want := time.Date(2025, 1, 1, 0, 0, 0, 25e7, time.UTC); !in.At.Equal(want) {
		t.Errorf("at = %v, want %v", in.At, want)
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, func(context.Context, *thingInput) (*thingOutput, error) { return &thingOutput{}, nil })
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/things/a", `{"name":"x"}` + strings.Repeat(" ", 4096-12), 201},
		{"POST", "/things/a", `{"name":"x"}` + strings.Repeat(" ", 4096-11), 400},
		{"PUT", "/blobs/a", strings.Repeat("x", 4096), 200},
		{"PUT", "/blobs/a", strings.Repeat("x", 4097), 400},
		{"PUT", "/blobs/a", "", 400},
	} {
		resp, body := call(t, test.method, s.URL+test.path, test.body)
		if resp.StatusCode != test.status {
			t.Errorf("%d bytes: %d %s", len(test.body), resp.StatusCode, body)
		}
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, nil)
	resp, body := call(t, "PUT", s.URL+"/blobs/a", "\x00{not json", "Content-Type", "text/x")
	if body != "\x00{not json" || resp.Header.Get("Content-Type") != "text/x" || resp.Header.Get("X-N") != "10" {
		t.Errorf("%q %v", body, resp.Header)
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	zero, ratio, text := 0, 0.125, "<&>\u2028"
	for name, test := range map[string]struct {
		out  thingOutput
		want string
	}{
		"empty": {thingOutput{}, `{"name":"","required":[]}`},
		"full": {thingOutput{Name: "n", Count: &zero, Ratio: &ratio, At: time.Date(2025, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 3600)),
			Required: []string{"a"}, List: []leaf{{Name: "l"}}, Map: map[string]string{"b": "2", "a": "1"}, Blob: []byte{0, 1},
			Doc: json.RawMessage(`{"x":1}`), Choice: &choice{Text: &text}},
			`{"name":"n","count":0,"ratio":0.125,"at":"2025-01-02T02:04:05.678Z","required":["a"],"list":[{"name":"l"}],"map":{"a":"1","b":"2"},"blob":"AAE=","doc":{"x":1},"choice":{"text":"<&>\u2028"}}`},
		"empty but there": {thingOutput{List: []leaf{}, Map: map[string]string{}}, `{"name":"","required":[],"list":[],"map":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Marshal(testAPI, &test.out)
			if err != nil || string(got) != test.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, test.want)
			}
		})
	}
	if _, err := Marshal(testAPI, &thingOutput{Choice: &choice{}}); err == nil {
		t.Error("a union with no member was written")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	var answer error
	s, log := serve(t, func(context.Context, *thingInput) (*thingOutput, error) {
		if answer == nil {
			panic("our own bug")
		}
		return nil, answer
	})
	for _, test := range []struct {
		err    error
		status int
		code   string
		text   string
	}{
		{outcrop.Errorf(outcrop.CodeConflict, "taken"), 400, "ConflictException", "taken"},
		{&outcrop.Error{Code: outcrop.CodeValidation, Reason: outcrop.ReasonBadData, Msg: "rows"}, 400, "ValidationException", "rows"},
		{&outcrop.Error{Code: outcrop.CodeInternal, Reason: outcrop.ReasonDiskFull, Msg: "secret"}, 500, "InternalServerException", "request id id-"},
		{fmt.Errorf("do it: %w", outcrop.Errorf(outcrop.CodeNotFound, "gone")), 404, "ResourceNotFoundException", "gone"},
		{outcrop.Errorf(outcrop.CodeModelNotReady, "wait"), 429, "ModelNotReadyException", "wait"},
		{outcrop.Errorf(outcrop.CodeModelTimeout, "slow"), 408, "ModelTimeoutException", "slow"},
		{outcrop.Errorf(outcrop.CodeModelError, "bad"), 424, "ModelErrorException", "bad"},
		{errors.New("secret cause"), 500, "InternalServerException", "request id id-"},
		{nil, 500, "InternalServerException", "request id id-"},
	} {
		answer = test.err
		log.Reset()
		resp, body := call(t, "POST", s.URL+"/things/a", `{"name":"x"}`)
		if resp.StatusCode != test.status || resp.Header.Get("x-amzn-ErrorType") != test.code || !strings.Contains(message(body), test.text) {
			t.Errorf("%v: %d %s %s", test.err, resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"), body)
		}
		reason := outcrop.ReasonOf(test.err)
		if test.status == 500 {
			reason = "" // our own faults are nobody's business
		}
		if got := resp.Header.Get(HeaderReason); got != string(reason) {
			t.Errorf("%v: reason %q", test.err, got)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("the cause reached the caller: %s", body)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != resp.StatusCode/500 {
			t.Errorf("%v: logged %d times: %s", test.err, n, log)
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	var id string
	s, _ := serve(t, func(_ context.Context, in *thingInput) (*thingOutput, error) { id = in.ID; return &thingOutput{}, nil })
	for _, test := range []struct {
		method, path string
		status       int
		id, code     string
	}{
		{"POST", "/things/arn:a:b%2Fc", 201, "arn:a:b/c", ""},
		{"POST", "/things/arn:a:b/c/d", 201, "arn:a:b/c/d", ""},
		{"POST", "/things/arn%3Aa:b/c", 201, "arn:a:b/c", ""},
		{"POST", "/things/arn:a:b/c/stop", 200, "", ""},
		{"POST", "/things/a/b", 404, "", "UnknownOperationException"},
		{"DELETE", "/things/a", 404, "", "UnknownOperationException"},
		{"POST", "/things//a", 404, "", "UnknownOperationException"},
		{"POST", "/things/../things/a", 404, "", "UnknownOperationException"},
		{"POST", "/things/", 404, "", "UnknownOperationException"},
		{"GET", "/", 404, "", "UnknownOperationException"},
		{"GET", "/others", 400, "", "ValidationException"},
		{"GET", "/less", 403, "", "AccessDeniedException"},
	} {
		id = ""
		resp, body := call(t, test.method, s.URL+test.path, `{"name":"x"}`)
		if resp.StatusCode != test.status || id != test.id || resp.Header.Get("x-amzn-ErrorType") != test.code {
			t.Errorf("%s %s: %d %q %s", test.method, test.path, resp.StatusCode, id, body)
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%s %s: not JSON: %s", test.method, test.path, body)
		}
	}
}

// FuzzBody throws arbitrary bodies at every kind of member: no panic, no 500.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"name":"x","leaves":[{"name":"a","again":{"sub":{"name":"b"}}}],"map":{"a":"b"},"blob":"AA==","at":1,"doc":[]}`))
	f.Add([]byte(`{"name":"x","choice":{"text":"a","sub":null},"ratio":1e-7,"long":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &thingInput{}
		if err := Unmarshal(testAPI, data, in); outcrop.CodeOf(err) == outcrop.CodeInternal {
			t.Fatalf("%q: %v", data, err)
		}
	})
}

func TestStream(t *testing.T) {
	t.Parallel()
	log := &bytes.Buffer{}
	r := NewRouter(func() string { return "id" }, slog.New(slog.NewTextHandler(log, nil)))
	HandleStream(r, testAPI, Operation{Name: "Stream", Method: "POST", Path: "/stream/{id}", Action: "x:Stream", Resource: "*"},
		func(_ context.Context, in *stopInput, w http.ResponseWriter) error {
			if in.ID == "early" {
				return outcrop.Errorf(outcrop.CodeThrottling, "too much")
			}
			_, _ = io.WriteString(w, "event")
			w.(http.Flusher).Flush()
			return errors.New("late")
		})
	s := httptest.NewServer(called(r))
	t.Cleanup(s.Close)
	if resp, body := call(t, "POST", s.URL+"/stream/early", ""); resp.StatusCode != 429 || message(body) != "too much" {
		t.Errorf("before the first byte: %d %s", resp.StatusCode, body)
	}
	if resp, body := call(t, "POST", s.URL+"/stream/late", ""); resp.StatusCode != 200 || body != "event" {
		t.Errorf("after the first byte: %d %s", resp.StatusCode, body)
	}
	if !strings.Contains(log.String(), "after the answer had begun: late") {
		t.Errorf("not logged: %s", log)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	r := NewRouter(func() string { return "id" }, slog.New(slog.DiscardHandler))
	Handle(r, testAPI, Operation{Name: "Get", Method: "GET", Path: "/more/{id}", Status: 200, Action: "x:Get", Resource: "*"},
		func(ctx context.Context, _ *struct {
			ID string `uri:"id"`
		}) (*struct{}, error) {
			Header(ctx).Set("X-More", "beyond the model")
			return &struct{}{}, nil
		})
	w := httptest.NewRecorder()
	called(r).ServeHTTP(w, httptest.NewRequest("GET", "/more/a", nil))
	if got := w.Header().Get("X-More"); w.Code != 200 || got != "beyond the model" {
		t.Errorf("status %d, X-More %q", w.Code, got)
	}
	Header(t.Context()).Set("X-More", "outside of a request") // goes nowhere, and does not panic
}

// failingBody fails on the first read, as a body does whose check on the way has failed.
type failingBody struct{ err error }

func (b failingBody) Read([]byte) (int, error) { return 0, b.err }
func (b failingBody) Close() error             { return nil }

func TestBodyThatFails(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"InvalidSignatureException": fmt.Errorf("read: %w", outcrop.Errorf("InvalidSignatureException", "wrong")),
		"ValidationException":       io.ErrUnexpectedEOF,
	} {
		r := NewRouter(func() string { return "id" }, slog.New(slog.DiscardHandler))
		Handle(r, testAPI, thingOp, func(context.Context, *thingInput) (*thingOutput, error) { return &thingOutput{}, nil })
		req := httptest.NewRequestWithContext(t.Context(), "POST", "/things/a", failingBody{err})
		w := httptest.NewRecorder()
		called(r).ServeHTTP(w, req)
		if got := w.Header().Get("X-Amzn-ErrorType"); got != want {
			t.Errorf("%v: %s %s", err, got, w.Body)
		}
	}
}

// FuzzRoute sends arbitrary request lines: every answer is JSON with a request id, and none
// is a redirect or our own fault.
func FuzzRoute(f *testing.F) {
	for _, path := range []string{"/things/arn:a:b/c/stop", "/things/%61rn:x", "/things/arn%3A%2F/%2f/", "/things/a/../b", "//", "*", "/things/arn:/arn:/arn:", "/blobs/%"} {
		f.Add("POST", path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return // net/http refuses it before a handler sees it
		}
		r := NewRouter(func() string { return "id" }, slog.New(slog.DiscardHandler))
		Handle(r, testAPI, thingOp, func(context.Context, *thingInput) (*thingOutput, error) { return &thingOutput{}, nil })
		Handle(r, testAPI, Operation{Name: "Stop", Method: "POST", Path: "/things/{id}/stop", Status: 200, Action: "x:Stop", Resource: "*"},
			func(context.Context, *stopInput) (*thingOutput, error) { return &thingOutput{}, nil })
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/", strings.NewReader(`{"name":"x"}`))
		req.Method, req.URL, req.RequestURI = method, u, path
		w := httptest.NewRecorder()
		called(r).ServeHTTP(w, req)
		if w.Code >= 500 || w.Code >= 300 && w.Code < 400 || w.Header().Get("X-Amzn-Requestid") == "" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q: %d %v %s", method, path, w.Code, w.Header(), w.Body)
		}
	})
}

// Who does not wait for the answer makes no error of the server.
func TestWriteErrorToNobody(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	status := func(err error) int {
		w := httptest.NewRecorder()
		WriteError(ctx, slog.New(slog.DiscardHandler), w, err)
		return w.Code
	}
	err := fmt.Errorf("generate: %w", context.Canceled)
	if got := status(err); got != http.StatusInternalServerError {
		t.Errorf("the caller is there: %d", got)
	}
	cancel()
	if got := status(err); got != StatusClientGone {
		t.Errorf("the caller has gone: %d", got)
	}
	if got := status(errors.New("disk")); got != http.StatusInternalServerError {
		t.Errorf("our own fault: %d", got)
	}
}
