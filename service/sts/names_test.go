package sts

import (
	"testing"

	"outcrop.dev/outcrop/wire/restjson"
)

// TestNames: the server puts a request's id where both protocols look for it.
func TestNames(t *testing.T) {
	t.Parallel()
	if headerRequestID != restjson.RequestIDHeader {
		t.Errorf("a request's id is in %q here and in %q in package restjson", headerRequestID, restjson.RequestIDHeader)
	}
}
