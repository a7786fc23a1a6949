package sigv4

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// v2SubResources are the query parameters that Signature Version 2 signs ("Signing and
// authenticating REST requests" in the S3 user guide; botocore's HmacV1Auth has the same).
var v2SubResources = []string{
	"accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "encryption", "inventory", "lifecycle", "location",
	"logging", "metrics", "notification", "partNumber", "policy", "replication", "requestPayment", "response-cache-control",
	"response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type",
	"response-expires", "restore", "select", "select-type", "tagging", "torrent", "uploadId", "uploads", "versionId",
	"versioning", "versions", "website",
}

// verifyV2 verifies a URL presigned with Signature Version 2, which is S3's alone:
//
//	?AWSAccessKeyId=…&Signature=…&Expires=unix seconds
func (v *Verifier) verifyV2(r *http.Request, query pairs, now time.Time) (Identity, error) {
	for _, name := range []string{"AWSAccessKeyId", "Signature", "Expires"} {
		if query.count(name) != 1 || query.get(name) == "" {
			return Identity{}, &Error{Reason: NoCredentials, Msg: "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"}
		}
	}
	expires, err := strconv.ParseInt(query.get("Expires"), 10, 64)
	if err != nil {
		return Identity{}, &Error{Reason: NoCredentials, Msg: "Invalid date (should be seconds since epoch): " + query.get("Expires")}
	}
	end := time.Unix(expires, 0)
	if now.After(end) {
		return Identity{}, errExpired(0, end, now)
	}
	if err := v.checkV2(r, query, end.Sub(now)); err != nil {
		return Identity{}, err
	}
	id := Identity{AccessKeyID: query.get("AWSAccessKeyId"), Service: serviceS3, Presigned: true, SessionToken: query.get("x-amz-security-token")}
	secret, ok := v.secret(id.AccessKeyID)
	if !ok {
		return Identity{}, errUnknownKey(id.AccessKeyID)
	}
	toSign, ok := v.compareV2(r, query, secret)
	if !ok {
		return Identity{}, errMismatch(signed{accessKeyID: id.AccessKeyID, signature: query.get("Signature")}, toSign, "")
	}
	mode, err := payloadMode(r, serviceS3)
	switch {
	case err != nil:
		return id, nil // the body is not bound
	case mode.hash == streamingSigned || mode.hash == streamingSignedTrailer:
		return Identity{}, &Error{Reason: BadArgument, Msg: "Signed chunks need a Version 4 signature.",
			Details: []Detail{{"ArgumentName", "x-amz-content-sha256"}, {"ArgumentValue", mode.hash}}}
	}
	return id, v.installBody(r, signed{scope: scope{service: serviceS3}}, mode, nil)
}

// checkV2 refuses what nobody presigns with Version 2: it is weaker than Version 4, as it leaves
// most of the query unsigned, and has no end. boto3 makes such URLs of objects.
func (v *Verifier) checkV2(r *http.Request, query pairs, life time.Duration) error {
	refuse := func(format string, args ...any) error {
		return &Error{Reason: UnsupportedMechanism, Msg: fmt.Sprintf(format, args...) + " Please use AWS4-HMAC-SHA256."}
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(v.v2Path(r), "/"), "/")
	switch {
	case v.NoV2:
		return refuse("The authorization mechanism you have provided is not supported.")
	case !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPut}, r.Method) || key == "":
		return refuse("Signature Version 2 is for GET, HEAD and PUT of an object.")
	case life > ExpiresMax*time.Second:
		return refuse("A signature of Version 2 ends within %d seconds.", ExpiresMax)
	}
	for _, p := range query {
		signed := strings.HasPrefix(strings.ToLower(p.key), "x-amz-") || strings.HasPrefix(p.key, "response-") && slices.Contains(v2SubResources, p.key)
		if !signed && !slices.Contains(v2Parameters, p.key) {
			return refuse("Signature Version 2 takes no query parameter %q.", p.key)
		}
	}
	return nil
}

// v2Parameters are what a URL of an object may have beside x-amz-… and response-….
// All are signed: botocore moves content-type and content-md5 from the headers into the query.
var v2Parameters = []string{"AWSAccessKeyId", "Signature", "Expires", "versionId", "partNumber", "uploadId", "content-type", "content-md5"}

// compareV2 recomputes the signature and returns what was signed.
func (v *Verifier) compareV2(r *http.Request, query pairs, secret string) (toSign string, ok bool) {
	got, err := base64.StdEncoding.Strict().DecodeString(query.get("Signature"))
	toSign = stringToSignV2(r, query, v.v2Path(r))
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(toSign))
	return toSign, err == nil && hmac.Equal(h.Sum(nil), got)
}

func stringToSignV2(r *http.Request, query pairs, path string) string {
	field := func(name string) string {
		if value := r.Header.Get(name); value != "" {
			return value
		}
		return query.get(strings.ToLower(name)) // botocore moves them into the query
	}
	return fmt.Sprintf("%s\n%s\n%s\n%s\n%s%s", r.Method, field("Content-Md5"), field("Content-Type"),
		query.get("Expires"), v2AmzHeaders(r.Header, query), v2Resource(path, query))
}

// v2AmzHeaders lists the x-amz- headers, which may stand in the query instead.
func v2AmzHeaders(h http.Header, query pairs) string {
	values := map[string][]string{}
	for name, v := range h {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			values[lower] = append(values[lower], v...)
		}
	}
	for _, p := range query {
		if lower := strings.ToLower(p.key); strings.HasPrefix(lower, "x-amz-") {
			values[lower] = append(values[lower], p.value)
		}
	}
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		for i, v := range values[name] {
			values[name][i] = strings.TrimSpace(v)
		}
		b.WriteString(name + ":" + strings.Join(values[name], ",") + "\n")
	}
	return b.String()
}

// v2Path is the path with the bucket in front.
func (v *Verifier) v2Path(r *http.Request) string {
	path := rawPath(r)
	if v.Bucket != nil {
		if bucket := v.Bucket(r.Host); bucket != "" {
			path = "/" + bucket + path
		}
	}
	return path
}

// v2Resource is the path and the sub-resources.
func v2Resource(resource string, query pairs) string {
	var subs []string
	for _, p := range query {
		switch {
		case !slices.Contains(v2SubResources, p.key):
		case p.value == "":
			subs = append(subs, p.key)
		default:
			subs = append(subs, p.key+"="+p.value)
		}
	}
	if len(subs) == 0 {
		return resource
	}
	slices.Sort(subs)
	return resource + "?" + strings.Join(subs, "&")
}
