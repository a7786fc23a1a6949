package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// parseAuthorization parses
//
//	AWS4-HMAC-SHA256 Credential=…, SignedHeaders=a;b, Signature=…
func parseAuthorization(auth string) (signed, error) {
	mechanism, rest, ok := strings.Cut(auth, " ")
	switch {
	case !ok:
		return signed{}, &Error{Reason: BadArgument, Msg: "Authorization header is invalid -- one and only one ' ' (space) required.",
			Details: []Detail{{"ArgumentName", "Authorization"}, {"ArgumentValue", auth}}}
	case mechanism == "AWS":
		return signed{}, &Error{Reason: UnsupportedMechanism,
			Msg: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."}
	case mechanism != algorithm:
		return signed{}, &Error{Reason: BadArgument, Msg: "Unsupported Authorization Type",
			Details: []Detail{{"ArgumentName", "Authorization"}, {"ArgumentValue", mechanism}}}
	}
	parts := strings.Split(rest, ",")
	if len(parts) != 3 {
		return signed{}, malformed(headerForm, "the authorization header requires three components: Credential, SignedHeaders, and Signature.")
	}
	values := make(map[string]string, 3)
	for _, p := range parts {
		p = strings.TrimSpace(p)
		name, value, ok := strings.Cut(p, "=")
		if !ok || value == "" {
			return signed{}, malformed(headerForm, "the authorization component %q is malformed.", p)
		}
		values[name] = value
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if values[name] == "" {
			return signed{}, malformed(headerForm, "missing %s.", name)
		}
	}
	s := signed{signature: values["Signature"], headers: strings.Split(values["SignedHeaders"], ";")}
	if s.accessKeyID, s.scope, ok = parseCredential(values["Credential"]); !ok {
		return signed{}, malformed(headerForm, "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
	}
	return s, nil
}

// requestDate returns the date that was signed: x-amz-date, else Date.
func requestDate(h http.Header) (time.Time, bool) {
	if v, ok := h["X-Amz-Date"]; ok {
		t, err := time.Parse(timeFormat, v[0])
		return t, err == nil && len(v) == 1
	}
	v := h.Get("Date")
	if t, err := time.Parse(timeFormat, v); err == nil {
		return t, true
	}
	t, err := http.ParseTime(v)
	return t.UTC(), err == nil
}

// checkSignedHeaders refuses a signature that leaves out the host or any x-amz- header:
// those change what a request means.
func checkSignedHeaders(r *http.Request, s signed) error {
	for _, name := range s.headers {
		if !validHeaderName(name) {
			return malformed(s.form(), "the signed header %q is not the name of a header in lower case.", name)
		}
	}
	if !slices.Contains(s.headers, "host") && !slices.Contains(s.headers, ":authority") {
		return errNotSigned([]string{"host"})
	}
	var missing []string
	for name := range r.Header {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") || slices.Contains(s.headers, lower) {
			continue
		}
		if s.presigned && lower == "x-amz-content-sha256" {
			continue // a presigned URL does not bind the body unless it says so
		}
		missing = append(missing, lower)
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return errNotSigned(missing)
	}
	return nil
}

func validHeaderName(name string) bool {
	for _, c := range []byte(name) {
		if !isUnreserved(c) && c != ':' || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return name != ""
}
