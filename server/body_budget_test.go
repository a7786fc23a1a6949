package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop/wire/sigv4"
)

// When others hold the memory, a body is not read before its sender is known. Requests that
// need none of it, and keys that do not exist, are answered as ever.
func TestBodyBudget(t *testing.T) {
	t.Parallel()
	budget := newBodyBudget(sigv4.BufferedMax, time.Millisecond)
	address := serveWithin(t, bodyTimeout, budget)
	const body = "0123456789"
	ask := func(service string, old, new string, headers ...string) (int, string) {
		text := strings.Replace(signedHead(t, address, "POST", service, body, headers...), old, new, 1)
		if strings.Contains(text, "chunked") {
			text += "a\r\n" + body + "\r\n0\r\n\r\n"
		} else {
			text += body
		}
		resp, answer := exchange(t, address, "POST", text)
		return resp.StatusCode, answer + resp.Header.Get("X-Amzn-ErrorType")
	}
	const length = "Content-Length: 10"
	for _, test := range []struct {
		name     string
		held     int64 // by others
		service  string
		header   string
		old, new string
		status   int
		want     string
	}{
		{"room for it", sigv4.BufferedMax - 10, "bedrock", length, "", "", http.StatusOK, "bedrock"},
		{"one byte too little", sigv4.BufferedMax - 9, "bedrock", length, "", "", http.StatusTooManyRequests, "ThrottlingException"},
		{"room for any", 0, "bedrock", "Transfer-Encoding: chunked", "", "", http.StatusOK, "bedrock"},
		{"not announced", 1, "bedrock", "Transfer-Encoding: chunked", "", "", http.StatusTooManyRequests, "ThrottlingException"},
		{"sts", sigv4.BufferedMax, "sts", length, "", "", http.StatusBadRequest, "Throttling"},
		{"s3 reads nothing before", sigv4.BufferedMax, "s3", length, "", "", http.StatusOK, "s3"},
		{"unknown key", sigv4.BufferedMax, "bedrock", length, testKey.AccessKeyID, "AKIANONE", http.StatusForbidden, "UnrecognizedClientException"},
		{"wrong signature gives it back", sigv4.BufferedMax - 10, "bedrock", length, "Signature=", "Signature=00", http.StatusForbidden, "InvalidSignatureException"},
	} {
		if !budget.bytes.TryAcquire(test.held) {
			t.Fatalf("%s: the request before has not given its memory back", test.name)
		}
		if status, got := ask(test.service, test.old, test.new, test.header); status != test.status || !strings.Contains(got, test.want) {
			t.Errorf("%s: %d %s, want %d %s", test.name, status, got, test.status, test.want)
		}
		budget.bytes.Release(test.held)
	}
	if !budget.bytes.TryAcquire(sigv4.BufferedMax) {
		t.Error("memory was not given back")
	}
}

// A waiting request gets the memory as soon as it is free.
func TestBodyBudgetWaits(t *testing.T) {
	t.Parallel()
	budget := newBodyBudget(10, time.Minute)
	first, err := budget.reserve(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		release, err := budget.reserve(t.Context(), 1)
		if err == nil {
			release()
		}
		got <- err
	}()
	first()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
