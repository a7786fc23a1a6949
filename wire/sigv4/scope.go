package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminal   = "aws4_request"
	timeFormat = "20060102T150405Z"
	dateFormat = "20060102"

	// regionMax bounds a region's name, which ends up in ARNs; the longest of AWS has 14 letters.
	regionMax = 32
)

// scope is what a Credential names besides the key: the signing key is made for it.
type scope struct {
	date, region, service, terminal string
}

func (s scope) String() string {
	return s.date + "/" + s.region + "/" + s.service + "/" + s.terminal
}

// signed is a parsed signature.
type signed struct {
	accessKeyID string
	scope
	headers   []string // lower case, in the order in which they were signed
	signature string
	time      time.Time
	presigned bool
}

func (s signed) form() form {
	if s.presigned {
		return queryForm
	}
	return headerForm
}

// parseCredential splits KEY/DATE/REGION/SERVICE/aws4_request.
func parseCredential(credential string) (accessKeyID string, s scope, ok bool) {
	f := strings.Split(credential, "/")
	if len(f) != 5 || slices.Contains(f, "") {
		return "", scope{}, false
	}
	return f[0], scope{date: f[1], region: f[2], service: f[3], terminal: f[4]}, true
}

// check refuses a scope that no request to us can have.
func (s scope) check(services []string, form form) error {
	switch {
	case s.terminal != terminal:
		return malformed(form, "incorrect terminal %q. This endpoint uses \"aws4_request\".", s.terminal)
	case len(services) > 0 && !slices.Contains(services, s.service):
		return malformed(form, "incorrect service %q. This endpoint belongs to %q.", s.service, strings.Join(services, ", "))
	case !validRegion(s.region):
		return malformed(form, "the region %q is not the name of a region.", s.region)
	}
	if _, err := time.Parse(dateFormat, s.date); err != nil {
		return malformed(form, "incorrect date format %q. This date in the credential must be in the format \"yyyyMMdd\".", s.date)
	}
	return nil
}

func validRegion(s string) bool {
	if len(s) > regionMax {
		return false
	}
	for _, c := range []byte(s) {
		if !isAlnum(c) && c != '-' {
			return false
		}
	}
	return s != ""
}

// signingKey derives the key of a scope from the secret.
func signingKey(secret string, s scope) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, s.terminal} {
		key = sign(key, part)
	}
	return key
}

func sign(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func stringToSign(s signed, canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return fmt.Sprintf("%s\n%s\n%s\n%s", algorithm, s.time.Format(timeFormat), s.scope, hex.EncodeToString(sum[:]))
}
