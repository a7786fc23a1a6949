package restjson

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
)

// No caller is told where the server keeps its files; what is written, and what is only sent on, stays.
func TestHide(t *testing.T) {
	t.Parallel()
	var logged strings.Builder
	r := NewRouter(func() string { return "id" }, slog.New(slog.NewTextHandler(&logged, nil)))
	r.Hide("/srv/out crop")
	type in struct{}
	type out struct {
		Message string `json:"message"`
	}
	const told = "open /srv/out crop/models/x/config.json in /srv/out crop: no"
	answer := func(context.Context, *in) (*out, error) { return &out{told}, nil }
	Handle(r, testAPI, Operation{Name: "Get", Method: "GET", Path: "/get", Status: 200, Action: "x:Get", Resource: "*"}, answer)
	Handle(r, testAPI, Operation{Name: "Post", Method: "POST", Path: "/post", Status: 200, Action: "x:Post", Resource: "*"}, answer)
	Handle(r, testAPI, Operation{Name: "Fail", Method: "POST", Path: "/fail", Status: 200, Action: "x:Fail", Resource: "*"},
		func(context.Context, *in) (*out, error) { return nil, outcrop.Errorf(outcrop.CodeModelError, told) })
	const hidden = `{"message":"open models/x/config.json in the data directory: no"}`
	for target, want := range map[string]string{"GET /get": hidden, "POST /fail": hidden, "POST /post": `{"message":"` + told + `"}`} {
		method, path, _ := strings.Cut(target, " ")
		w := httptest.NewRecorder()
		req := httptest.NewRequest(method, path, http.NoBody)
		r.ServeHTTP(w, req.WithContext(outcrop.WithCaller(req.Context(), outcrop.Caller{})))
		if got := strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	if !strings.Contains(logged.String(), "/srv/out crop/models/x/config.json") {
		t.Errorf("the log has not the rest: %s", logged.String())
	}
}
