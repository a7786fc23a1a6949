package restjson

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
)

func TestPermissionResource(t *testing.T) {
	t.Parallel()
	scope := outcrop.Scope{Account: "123456789012", Region: "eu-west-3"}
	for _, c := range []struct {
		form, named string
		want        outcrop.ARN
	}{
		{"*", "", "*"},
		{"{id}", "arn:aws:bedrock:us-east-1:1:guardrail/g", "arn:aws:bedrock:us-east-1:1:guardrail/g"},
		{"{id}", "no-arn", "no-arn"},
		{"{id}", "", "*"},
		{"custom-model/{id}", "mine", "arn:aws:bedrock:eu-west-3:123456789012:custom-model/mine"},
		{"custom-model/{id}", "arn:aws:bedrock:us-east-1:1:custom-model/x", "arn:aws:bedrock:us-east-1:1:custom-model/x"},
		{"custom-model/{id}", "", "*"},
		{"foundation-model|custom-model/{id}", "amazon.titan-text-express-v1:0:8k", "arn:aws:bedrock:eu-west-3::foundation-model/amazon.titan-text-express-v1:0:8k"},
		{"foundation-model|custom-model/{id}", "mine", "arn:aws:bedrock:eu-west-3:123456789012:custom-model/mine"},
		{"foundation-model|custom-model/{id}", "arn:aws:bedrock:us-east-1::foundation-model/a.b", "arn:aws:bedrock:us-east-1::foundation-model/a.b"},
	} {
		p := permissionOf(Operation{Name: "Get", Path: "/x/{id}", Action: "x:Get", Resource: c.form}, nil)
		if got := p.resource(scope, c.named); got != c.want {
			t.Errorf("%s of %q: %s, want %s", c.form, c.named, got, c.want)
		}
	}
}

// An operation that does not say what its caller must be allowed cannot be registered.
func TestOperationWithoutPermission(t *testing.T) {
	t.Parallel()
	for _, op := range []Operation{
		{Resource: "*"}, {Action: "x:Get"}, {Action: "x:Get", Resource: "thing"}, {Action: "x:Get", Resource: "thing/{}"},
		{Action: "x:Get", Resource: "thing/{none}"}, {Action: "x:Get", Resource: "{leaves}"}, {Action: "x:Get", Resource: "{limit}"},
	} {
		op.Name, op.Method, op.Path = "Get", "GET", "/x/{id}"
		panics := func(register func(*Router)) (did bool) {
			defer func() { did = recover() != nil }()
			register(NewRouter(func() string { return "id" }, slog.New(slog.DiscardHandler)))
			return false
		}
		handle := func(r *Router) {
			Handle(r, testAPI, op, func(context.Context, *thingInput) (*thingOutput, error) { return nil, nil })
		}
		if !panics(handle) || !panics(func(r *Router) { HandleUnimplemented(r, op) }) {
			t.Errorf("%q on %q was registered", op.Action, op.Resource)
		}
	}
}

// Whoever may not is told so before anything that the request breaks, and nothing is done.
func TestDenied(t *testing.T) {
	t.Parallel()
	r := NewRouter(func() string { return "id" }, slog.New(slog.DiscardHandler))
	called := false
	Handle(r, testAPI, thingOp, func(context.Context, *thingInput) (*thingOutput, error) { called = true; return &thingOutput{}, nil })
	for name, c := range map[string]struct {
		may    outcrop.Authorizer
		body   string
		status int
		want   string
	}{
		"denied":            {denied, `{"name":"x"}`, http.StatusForbidden, "AccessDeniedException"},
		"denied and broken": {denied, `{"name":"much too long"}`, http.StatusForbidden, "AccessDeniedException"},
		"allowed":           {allowed, `{"name":"much too long"}`, http.StatusBadRequest, "ValidationException"},
		"undecided":         {undecided, `{"name":"x"}`, http.StatusInternalServerError, "InternalServerException"},
	} {
		caller := outcrop.Caller{Account: "123456789012", Region: "us-east-1", May: c.may}
		req := httptest.NewRequestWithContext(outcrop.WithCaller(t.Context(), caller), "POST", "/things/a", strings.NewReader(c.body))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if got := w.Header().Get("X-Amzn-ErrorType"); w.Code != c.status || got != c.want || called {
			t.Errorf("%s: %d %s %s, called %v", name, w.Code, got, w.Body, called)
		}
	}
}

func denied(_ context.Context, action string, resource outcrop.ARN) error {
	if action != "x:PutThing" || resource != "arn:aws:bedrock:us-east-1:123456789012:thing/a" {
		return nil
	}
	return outcrop.Errorf(outcrop.CodeAccessDenied, "not you")
}

func allowed(context.Context, string, outcrop.ARN) error { return nil }

func undecided(context.Context, string, outcrop.ARN) error {
	return errors.New("the policies cannot be read")
}
