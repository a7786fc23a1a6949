// Package sigv4 verifies AWS request signatures, for any service: Signature Version 4 in
// the Authorization header and in presigned URLs, the four ways in which a body can be
// bound to one, and the presigned form of Signature Version 2 that boto3 still uses for S3.
//
// It knows no account and no permission: it says which access key signed the request, and
// that the request is what was signed.
//
//	v := &sigv4.Verifier{Secrets: keys.Secret}
//	id, err := v.Verify(r, time.Now())
//	var refused *sigv4.Error
//	if errors.As(err, &refused) { code, status := refused.S3() … }
//
// On success the request's body has been replaced: what a handler reads from it is what
// was signed, or the read fails with an *Error before io.EOF. So a handler must read to
// io.EOF before it trusts a byte. Bodies of other services than S3 are read and verified at
// once. aws-chunked bodies arrive decoded, with the checksums that trail them in r.Trailer.
//
// Sources: "Signature Version 4 signing process" in the IAM user guide, "Authenticating
// requests" in the S3 API reference, and the signers of the AWS SDKs where those are silent.
package sigv4

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of AWS.
const (
	// SkewMax is how far a request's date may lie from our clock.
	SkewMax = 15 * time.Minute
	// ExpiresMax is the longest life of a presigned URL, in seconds: a week.
	ExpiresMax = 604_800
)

// serviceS3 is the scope of S3, which canonicalises paths and binds bodies in its own way.
const serviceS3 = "s3"

// Identity says who signed a request and for what.
type Identity struct {
	AccessKeyID string
	Region      string // of the credential scope; empty for Signature Version 2
	Service     string // of the credential scope, such as "s3" or "bedrock"
	// SessionToken is the X-Amz-Security-Token that came with temporary credentials, or "".
	// It is covered by the signature; whether it is valid is for the caller to say.
	SessionToken string
	Presigned    bool // the signature is in the URL
}

// Verifier verifies requests. The zero value refuses everyone.
type Verifier struct {
	// Secrets returns the secret key of an access key.
	Secrets func(accessKeyID string) (secret string, ok bool)
	// Services lists the scopes that are served. Empty: any.
	Services []string
	// NoV2 refuses Signature Version 2.
	NoV2 bool
	// Bucket returns the bucket that a Host header names, or "". Only Signature Version 2
	// needs it, which signs bucket.host/key as /bucket/key. Nil: no host names a bucket.
	Bucket func(host string) string
	// Reserve is asked once before a body of up to n bytes is read into memory, as those of all
	// services but S3 are. The sender is not known yet unless the body's hash was sent: else it is
	// part of what was signed. An error refuses the request as Busy. Nil: no limit.
	Reserve func(ctx context.Context, n int64) error
}

// Verify checks r's signature against the clock now and replaces r.Body as the package
// comment says. Pass a shallow copy of the server's request: by the body of its own, net/http
// tells whether a client that sent Expect: 100-continue was told to go on. Every error is an
// *Error, also those of reading the body, now and later.
func (v *Verifier) Verify(r *http.Request, now time.Time) (Identity, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = clientBody{r.Body}
	}
	auth := r.Header.Values("Authorization")
	query := canonicalQueryPairs(r.URL.RawQuery)
	inQuery := query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature") || query.has("X-Amz-Credential")
	switch {
	case len(auth) > 1 || (len(auth) == 1 && (inQuery || query.has("AWSAccessKeyId"))):
		return Identity{}, errOneMechanism(strings.Join(auth, ", "))
	case len(auth) == 1:
		return v.verifyHeader(r, auth[0], query, now)
	case inQuery:
		return v.verifyQuery(r, query, now)
	case query.has("AWSAccessKeyId"):
		return v.verifyV2(r, query, now)
	}
	return Identity{}, &Error{Reason: NoCredentials, Msg: "The request is not signed. Sign it with your access key."}
}

// verifyHeader verifies the Authorization header form.
func (v *Verifier) verifyHeader(r *http.Request, auth string, query pairs, now time.Time) (Identity, error) {
	s, err := parseAuthorization(auth)
	if err != nil {
		return Identity{}, err
	}
	if err := s.scope.check(v.Services, headerForm); err != nil {
		return Identity{}, err
	}
	date, ok := requestDate(r.Header)
	if !ok {
		return Identity{}, &Error{Reason: NoDate, Msg: "AWS authentication requires a valid Date or x-amz-date header."}
	}
	s.time = date
	if s.date != date.Format(dateFormat) {
		return Identity{}, malformed(headerForm, "The authorization header is malformed; Invalid credential date. Date is not the same as X-Amz-Date.")
	}
	if d := now.Sub(date); d > SkewMax || d < -SkewMax {
		return Identity{}, errSkewed(date, now)
	}
	mode, err := payloadMode(r, s.service)
	if err != nil {
		return Identity{}, err
	}
	return v.finish(r, s, query, mode)
}

// finish compares the signature and installs the body, for both Version 4 forms.
func (v *Verifier) finish(r *http.Request, s signed, query pairs, mode payload) (Identity, error) {
	id := Identity{AccessKeyID: s.accessKeyID, Region: s.region, Service: s.service, Presigned: s.presigned}
	secret, ok := v.secret(s.accessKeyID)
	if !ok {
		return Identity{}, errUnknownKey(s.accessKeyID)
	}
	if err := checkSignedHeaders(r, s); err != nil {
		return Identity{}, err
	}
	if mode.kind == payloadHashUs {
		sum, err := v.bufferBody(r)
		if err != nil {
			return Identity{}, err
		}
		mode.hash = sum
	}
	key := signingKey(secret, s.scope)
	path, err := compare(r, s, query, mode.hash, key)
	if err != nil {
		return Identity{}, err
	}
	readAs(r, path)
	id.SessionToken = r.Header.Get("X-Amz-Security-Token")
	if s.presigned {
		id.SessionToken = query.get("X-Amz-Security-Token")
	}
	return id, v.installBody(r, s, mode, key)
}

// reserve asks for the memory that bufferBody will take.
func (v *Verifier) reserve(r *http.Request) error {
	if v.Reserve == nil {
		return nil
	}
	n := r.ContentLength
	if n < 0 { // not announced
		n = BufferedMax
	}
	if err := v.Reserve(r.Context(), n); err != nil {
		return &Error{Reason: Busy, Err: err,
			Msg: fmt.Sprintf("Too many requests are being received (%v). Please reduce your request rate.", err)}
	}
	return nil
}

// compare recomputes the signature. For S3 it tries the path as it was sent, which is what
// SDKs sign, then the path as they would have escaped it, which is what curl and others
// sign: both name the same object. For the others it tries the path without its dots and
// doubled slashes, as the process says, then as it was sent. It returns the raw path that was
// signed, if it is another than was sent.
func compare(r *http.Request, s signed, query pairs, hash string, key []byte) (path string, err error) {
	path = rawPath(r)
	type candidate struct{ path, canonical string }
	clean := normalize(path)
	candidates := []candidate{{clean, escapePath(clean, escapeAgain)}, {path, escapePath(path, escapeAgain)}}
	if s.service == serviceS3 {
		candidates = []candidate{{path, path}, {path, escapePath(path, keepEscapes)}}
	}
	var canonical, toSign string
	for _, c := range candidates {
		canonical = canonicalRequest(r, s, c.canonical, query, hash)
		toSign = stringToSign(s, canonical)
		if equalHex(sign(key, toSign), s.signature) {
			return c.path, nil
		}
	}
	return "", errMismatch(s, toSign, canonical)
}

// readAs makes the path that was signed the request's: who reads it reads nothing else.
func readAs(r *http.Request, path string) {
	if path == rawPath(r) {
		return
	}
	u := *r.URL
	u.RawPath = path
	u.Path, _ = url.PathUnescape(path) // it was parsed before, with dots
	r.URL = &u
	r.RequestURI = u.RequestURI()
}

func (v *Verifier) secret(accessKeyID string) (string, bool) {
	if v.Secrets == nil || accessKeyID == "" {
		return "", false
	}
	secret, ok := v.Secrets(accessKeyID)
	return secret, ok && secret != ""
}

// equalHex compares a signature with its hexadecimal form in constant time.
func equalHex(want []byte, got string) bool {
	b, err := hex.DecodeString(got)
	return err == nil && strings.ToLower(got) == got && hmac.Equal(want, b)
}
