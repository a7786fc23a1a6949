package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"outcrop.dev/outcrop/wire/restjson"
)

func signedHeader(service string) string {
	return "AWS4-HMAC-SHA256 Credential=AKIA/20260102/us-east-1/" + service + "/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
}

// thingRouter has one operation, GET /things/{name}.
func thingRouter() *restjson.Router {
	router := restjson.NewRouter(func() string { return "id" }, slog.New(slog.DiscardHandler))
	restjson.Handle(router, &restjson.API{}, restjson.Operation{Name: "GetThing", Method: "GET", Path: "/things/{name}", Status: 200, Action: "x:GetThing", Resource: "*"},
		func(context.Context, *struct {
			Name string `uri:"name"`
		}) (*struct{}, error) {
			return nil, nil
		})
	return router
}

func TestEndpointOf(t *testing.T) {
	t.Parallel()
	s := &Server{}
	es := endpoints{s.buckets("s3", nil), s.json("bedrock", thingRouter()), s.query("sts", nil)}
	if got := s.verifier.Services; !slices.Equal(got, []string{"s3", "bedrock", "sts"}) {
		t.Errorf("signatures are taken for %q", got)
	}
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

		{"GET", "/bucket", signedHeader("nobody"), "s3"},
		{"GET", "/things/x", signedHeader("nobody"), "bedrock"},
		{"POST", "/", signedHeader("nobody"), "sts"},
		{"POST", "/", signedHeader("s3"), "s3"},
		{"POST", "/", signedHeader("bedrock"), "bedrock"},
		{"GET", "/things/x", signedHeader("sts"), "sts"},
		{"GET", "/b/k?X-Amz-Credential=AKIA%2F20260102%2Fus-east-1%2Fs3%2Faws4_request", signedHeader("sts"), "sts"},
		{"GET", "/b/k?X-Amz-Credential=AKIA%2F20260102%2Fus-east-1%2Fs3%2Faws4_request", "Bearer abc", "s3"},
		{"GET", "/bucket", "Bearer abc", "bedrock"},
		{"POST", "/", "Bearer abc", "bedrock"},
		{"PUT", "/bucket/key", "Basic abc", "s3"},
		{"POST", "/", "Basic abc", "sts"},
		{"POST", "/things/x", "", "s3"},
		{"POST", "/bucket?delete", "", "s3"},
		{"POST", "/?Action=GetCallerIdentity", "", "sts"},
		{"GET", "/?Action=GetCallerIdentity", "", "s3"},
		{"GET", "/things/arn:aws:x:y:z:thing/x", "", "bedrock"},
		{"GET", "/things//x", "", "s3"},
	} {
		r := httptest.NewRequest(c.method, c.target, http.NoBody)
		if c.auth != "" {
			r.Header.Set("Authorization", c.auth)
		}
		if got := es.of(r).name; got != c.want {
			t.Errorf("%s %s (%.30s): %s, want %s", c.method, c.target, c.auth, got, c.want)
		}
	}
}
