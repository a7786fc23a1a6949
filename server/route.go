package server

import (
	"net/http"
	"strings"

	"outcrop.dev/outcrop/wire/restjson"
)

// An endpoint is one AWS service: what answers its requests, and how it refuses one whose
// signature is not right.
type endpoint struct {
	name    string
	handler http.Handler
	refuse  func(w http.ResponseWriter, r *http.Request, err error)
}

// endpoints are the services behind the one port.
type endpoints struct {
	s3, bedrock, sts endpoint
	bedrockRoutes    *restjson.Router // to tell a Bedrock path from a bucket when nothing else does
}

// of finds the service of a request: by the scope of its signature, which every SDK names,
// and for an unsigned one by its path. Both Bedrock services sign as "bedrock".
func (e *endpoints) of(r *http.Request) *endpoint {
	switch signedFor(r) {
	case "s3":
		return &e.s3
	case "bedrock":
		return &e.bedrock
	case "sts":
		return &e.sts
	}
	switch {
	case strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
		return &e.bedrock // only Bedrock takes API keys
	case e.bedrockRoutes.Operation(r) != "":
		return &e.bedrock
	case r.Method == http.MethodPost && r.URL.Path == "/":
		return &e.sts // S3 has no POST on the service itself
	}
	return &e.s3
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
