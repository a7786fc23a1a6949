package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"outcrop.dev/outcrop/wire/restjson"
)

func signedHeader(service string) string {
	return "AWS4-HMAC-SHA256 Credential=AKIA/20260102/us-east-1/" + service + "/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
}

func TestEndpointOf(t *testing.T) {
	t.Parallel()
	router := restjson.NewRouter(func() string { return "id" }, slog.New(slog.DiscardHandler))
	restjson.Handle(router, &restjson.API{}, restjson.Operation{Name: "GetThing", Method: "GET", Path: "/things/{name}", Status: 200, Action: "x:GetThing", Resource: "*"},
		func(context.Context, *struct {
			Name string `uri:"name"`
		}) (*struct{}, error) {
			return nil, nil
		})
	e := &endpoints{s3: endpoint{name: "s3"}, bedrock: endpoint{name: "bedrock"}, sts: endpoint{name: "sts"}, bedrockRoutes: router}
	for _, c := range []struct{ method, target, auth, want string }{
		{"GET", "/bucket/key", signedHeader("s3"), "s3"},
		{"GET", "/things/x", signedHeader("s3"), "s3"},
		{"GET", "/bucket", signedHeader("bedrock"), "bedrock"},
		{"POST", "/", signedHeader("sts"), "sts"},
		{"GET", "/b/k?X-Amz-Credential=AKIA%2F20260102%2Fus-east-1%2Fs3%2Faws4_request", "", "s3"},
		{"GET", "/b/k?X-Amz-Credential=AKIA%2F20260102%2Fus-east-1%2Fbedrock%2Faws4_request", "", "bedrock"},
		{"GET", "/things/x", "", "bedrock"},
		{"GET", "/things/x", "Bearer abc", "bedrock"},
		{"GET", "/things", "", "s3"},
		{"POST", "/", "", "sts"},
		{"GET", "/", "", "s3"},
		{"GET", "/bucket/key?AWSAccessKeyId=A&Signature=B&Expires=1", "", "s3"},
		{"GET", "/things/x?AWSAccessKeyId=A&Signature=B&Expires=1", "", "s3"},
		{"GET", "/bucket", "AWS4-HMAC-SHA256 Credential=", "s3"},
	} {
		r := httptest.NewRequest(c.method, c.target, http.NoBody)
		if c.auth != "" {
			r.Header.Set("Authorization", c.auth)
		}
		if got := e.of(r).name; got != c.want {
			t.Errorf("%s %s (%.30s): %s, want %s", c.method, c.target, c.auth, got, c.want)
		}
	}
}
