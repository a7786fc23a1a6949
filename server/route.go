package server

import (
	"net/http"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/wire/restjson"
)

// An endpoint is a service behind the one port: which requests are its, how it knows who makes
// one, how it refuses those that it does not know, and what answers the others.
type endpoint struct {
	name         string                                          // also in signatures and in metrics
	claims       func(*http.Request) bool                        // of one that is signed for no endpoint
	authenticate func(*http.Request) (outcrop.Caller, error)     // may replace the request's body
	refuse       func(http.ResponseWriter, *http.Request, error) // what authenticate returned
	handler      http.Handler
}

// endpoints are the services behind the one port.
type endpoints []endpoint

// of finds the endpoint of a request: by the scope of its signature, which every SDK names. One
// without, or with a scope that is nobody's, goes to the first endpoint that claims it, and to the
// first of all, which is S3, if none does: any path may be an object's.
func (es endpoints) of(r *http.Request) *endpoint {
	scope := signedFor(r)
	for i := range es {
		if es[i].name == scope {
			return &es[i]
		}
	}
	for i := range es {
		if es[i].claims(r) {
			return &es[i]
		}
	}
	return &es[0]
}

// nothing claims no request.
func nothing(*http.Request) bool { return false }

// routed claims the requests of a router's operations, and those with an API key: of AWS's
// services Bedrock alone takes them.
func routed(router *restjson.Router) func(*http.Request) bool {
	return func(r *http.Request) bool { return bearer(r) || router.Operation(r) != "" }
}

// posted claims what a Query service is asked: S3 has no POST on the service itself.
func posted(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/" }

// bearer reports whether a request brings a key instead of a signature.
func bearer(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// signedFor reads the service in a request's credential scope,
// KEY/20260102/us-east-1/SERVICE/aws4_request, without believing it: the signature is
// checked later. A URL presigned with Signature Version 2 is for S3, which alone has it. ""
// if there is none.
func signedFor(r *http.Request) string {
	_, credential, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		query := r.URL.Query()
		if credential = query.Get("X-Amz-Credential"); credential == "" && query.Has("AWSAccessKeyId") {
			return "s3"
		}
	}
	credential, _, _ = strings.Cut(credential, ",")
	parts := strings.Split(strings.TrimSpace(credential), "/")
	if len(parts) < 2 || parts[len(parts)-1] != "aws4_request" {
		return ""
	}
	return parts[len(parts)-2]
}
