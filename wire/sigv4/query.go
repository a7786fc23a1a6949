package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verifyQuery verifies a presigned URL (Version 4).
func (v *Verifier) verifyQuery(r *http.Request, query pairs, now time.Time) (Identity, error) {
	s, expires, err := parsePresigned(query)
	if err != nil {
		return Identity{}, err
	}
	if err := s.scope.check(v.Services, queryForm); err != nil {
		return Identity{}, err
	}
	if s.date != s.time.Format(dateFormat) {
		return Identity{}, malformed(queryForm, "Invalid credential date %q. This date is not the same as X-Amz-Date: %q.",
			s.date, s.time.Format(dateFormat))
	}
	if s.time.Sub(now) > SkewMax {
		return Identity{}, &Error{Reason: NotYetValid, Msg: "Request is not valid yet."}
	}
	end := s.time.Add(time.Duration(expires) * time.Second)
	if now.After(end) {
		return Identity{}, errExpired(expires, end, now)
	}
	mode, err := presignedMode(r, s, query)
	if err != nil {
		return Identity{}, err
	}
	return v.finish(r, s, query.without("X-Amz-Signature"), mode)
}

// parsePresigned reads the X-Amz- parameters of a presigned URL.
func parsePresigned(query pairs) (s signed, expires int, err error) {
	switch alg := query.get("X-Amz-Algorithm"); alg {
	case algorithm, "":
	case "AWS4-ECDSA-P256-SHA256":
		return s, 0, malformed(queryForm, `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`)
	default:
		return s, 0, malformed(queryForm, `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"`)
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"} {
		if query.count(name) != 1 || query.get(name) == "" {
			return s, 0, malformed(queryForm, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "+
				"X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	s = signed{presigned: true, signature: query.get("X-Amz-Signature"), headers: strings.Split(query.get("X-Amz-SignedHeaders"), ";")}
	var ok bool
	if s.accessKeyID, s.scope, ok = parseCredential(query.get("X-Amz-Credential")); !ok {
		return s, 0, malformed(queryForm, `Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; `+
			`expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	}
	if s.time, err = time.Parse(timeFormat, query.get("X-Amz-Date")); err != nil {
		return s, 0, malformed(queryForm, `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	expires, err = strconv.Atoi(query.get("X-Amz-Expires"))
	switch {
	case err != nil:
		return s, 0, malformed(queryForm, "X-Amz-Expires should be a number")
	case expires < 0:
		return s, 0, malformed(queryForm, "X-Amz-Expires must be non-negative")
	case expires > ExpiresMax:
		return s, 0, malformed(queryForm, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	}
	return s, expires, nil
}

// presignedMode says how a presigned URL binds the body. S3's do not, unless the hash is
// among what was signed; those of other services sign the body's hash.
func presignedMode(r *http.Request, s signed, query pairs) (payload, error) {
	if slices.Contains(s.headers, "x-amz-content-sha256") {
		return payloadMode(r, s.service)
	}
	if hash := query.get("X-Amz-Content-Sha256"); hash != "" {
		return parsePayload(hash, s.service)
	}
	if s.service != serviceS3 {
		return payload{kind: payloadHashUs}, nil
	}
	mode, err := payloadMode(r, s.service)
	if err != nil {
		mode = payload{kind: payloadUnsigned}
	}
	mode.hash = unsignedPayload // what was signed; the header, if any, still says how to read the body
	return mode, nil
}
