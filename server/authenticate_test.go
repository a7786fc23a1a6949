package server

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/service/s3"
	"outcrop.dev/outcrop/service/sts"
	"outcrop.dev/outcrop/wire/sigv4"
)

var testKey = iam.Key{AccessKeyID: "AKIATEST", SecretAccessKey: "secret-of-the-test"}

// serveServices serves authenticate over services that answer with their names; only POST
// reads a body.
func serveServices(t *testing.T, bodyTimeout time.Duration) (address string) {
	t.Helper()
	return serveWithin(t, bodyTimeout, newBodyBudget(0, bodyWait))
}

func serveWithin(t *testing.T, bodyTimeout time.Duration, budget *bodyBudget) (address string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					_, _ = io.WriteString(w, err.Error())
					return
				}
			}
			_, _ = io.WriteString(w, name)
		})
	}
	s := &Server{
		guests:      newGuests(strangersMax, strangersEach, manyConnections()),
		bodyTimeout: bodyTimeout,
		cfg:         Config{Account: DefaultAccount, Clock: time.Now, Log: log},
		verifier:    sigv4.Verifier{Secrets: secretOf(testKey), Reserve: budget.reserve},
	}
	s.endpoints = endpoints{
		s.buckets("s3", s3.New(nil, s3.Options{NewRequestID: newRequestID, Log: log})),
		s.json("bedrock", thingRouter()),
		s.query("sts", sts.New(newRequestID, log)),
	}
	for i, e := range s.endpoints {
		s.endpoints[i].handler = named(e.name)
	}
	server := httptest.NewUnstartedServer(s.host(http.HandlerFunc(s.authenticate)))
	server.Config.ConnContext = s.guests.conns.accepted
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// signedHead is the head of a request to service whose body is signed.
func signedHead(t *testing.T, address, method, service, body string, more ...string) string {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+address+"/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	key := aws.Credentials{AccessKeyID: testKey.AccessKeyID, SecretAccessKey: testKey.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), key, r, hash, service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	head := []string{method + " /x HTTP/1.1", "Host: " + address}
	for name := range r.Header {
		head = append(head, name+": "+r.Header.Get(name))
	}
	return strings.Join(append(head, more...), "\r\n") + "\r\n\r\n"
}

// exchange sends a request and returns the status of the answer and its body. The client
// sends nothing more and does not hang up.
func exchange(t *testing.T, address, method, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// A client that waits to be told to send its body is answered although nobody reads the
// body, and the connection ends there: what the client sends next is not a request.
func TestExpectContinueIsNotAwaited(t *testing.T) {
	t.Parallel()
	address := serveServices(t, bodyTimeout)
	resp, body := exchange(t, address, "PUT", signedHead(t, address, "PUT", "s3", "0123456789", "Content-Length: 10", "Expect: 100-continue"))
	if resp.StatusCode != http.StatusOK || body != "s3" || !resp.Close {
		t.Errorf("%s, close %v: %s", resp.Status, resp.Close, body)
	}
}

// HTTP chunks that do not parse are the client's mistake.
func TestBrokenBodyIsABadRequest(t *testing.T) {
	t.Parallel()
	address := serveServices(t, bodyTimeout)
	for service, want := range map[string]string{"bedrock": "ValidationException", "sts": "MalformedInput"} {
		resp, body := exchange(t, address, "POST", signedHead(t, address, "POST", service, "{}", "Transfer-Encoding: chunked")+"zz\r\n")
		if got := body + resp.Header.Get("X-Amzn-ErrorType"); resp.StatusCode != http.StatusBadRequest || !strings.Contains(got, want) {
			t.Errorf("%s: %s %s", service, resp.Status, got)
		}
	}
}

// Each protocol has names of its own for a wrong key.
func TestWrongKeyByProtocol(t *testing.T) {
	t.Parallel()
	address := serveServices(t, bodyTimeout)
	for service, want := range map[string]struct{ unknown, mismatch string }{
		"s3":      {"InvalidAccessKeyId", "SignatureDoesNotMatch"},
		"bedrock": {"UnrecognizedClientException", "InvalidSignatureException"},
		"sts":     {"InvalidClientTokenId", "SignatureDoesNotMatch"},
	} {
		head := signedHead(t, address, "GET", service, "")
		for text, code := range map[string]string{
			strings.Replace(head, testKey.AccessKeyID, "AKIANONE", 1):         want.unknown,
			strings.Replace(head, "Signature=", "Signature=00", 1):            want.mismatch,
			strings.Replace(head, "Host:", "X-Amz-Sneaked-In: 1\r\nHost:", 1): "",
		} {
			resp, body := exchange(t, address, "GET", text)
			got := body + resp.Header.Get("X-Amzn-ErrorType")
			if resp.StatusCode != http.StatusForbidden || !strings.Contains(got, code) {
				t.Errorf("%s: %s %s, want 403 %s", service, resp.Status, got, code)
			}
			if code == "" && !strings.Contains(body, "x-amz-sneaked-in") {
				t.Errorf("%s does not name the header that is not signed: %s", service, body)
			}
		}
	}
}

// Each protocol has a form of its own for whoever is not known: who does not sign, who signs for
// a service that there is not, who brings a key instead. None is our own fault.
func TestUnknownByProtocol(t *testing.T) {
	t.Parallel()
	address := serveServices(t, bodyTimeout)
	const nobody = "AWS4-HMAC-SHA256 Credential=AKIATEST/20260102/us-east-1/nobody/aws4_request, SignedHeaders=host, Signature=00"
	const nobodyIs = `incorrect service &#34;nobody&#34;. This endpoint belongs to &#34;s3, bedrock, sts&#34;.`
	for _, c := range []struct {
		method, target, auth string
		status               int
		form, message        string
	}{
		{"GET", "/bucket", "", 403, "<Error><Code>AccessDenied</Code>", "The request is not signed."},
		{"GET", "/things/x", "", 403, "MissingAuthenticationTokenException", "The request is not signed."},
		{"POST", "/", "", 403, "<ErrorResponse", "The request is not signed."},
		{"GET", "/bucket", nobody, 400, "<Error><Code>AuthorizationHeaderMalformed</Code>", nobodyIs},
		{"GET", "/things/x", nobody, 400, "IncompleteSignatureException", strings.ReplaceAll(nobodyIs, "&#34;", `\"`)},
		{"POST", "/", nobody, 400, "<Code>IncompleteSignature</Code>", nobodyIs},
		{"GET", "/things/x", "Bearer abc", 403, "AccessDeniedException", "Outcrop does not take Bedrock API keys: unset AWS_BEARER_TOKEN_BEDROCK"},
		{"GET", "/bucket", "Bearer abc", 403, "AccessDeniedException", "Outcrop does not take Bedrock API keys"},
		{"POST", "/", "Bearer abc", 403, "AccessDeniedException", "Outcrop does not take Bedrock API keys"},
		{"GET", "/b/k?X-Amz-Credential=A%2F20260102%2Fus-east-1%2Fs3%2Faws4_request", "Bearer abc", 400, "<Error><Code>InvalidArgument</Code>", "Only one auth mechanism allowed"},
	} {
		head := c.method + " " + c.target + " HTTP/1.1\r\nHost: " + address + "\r\n"
		if c.auth != "" {
			head += "Authorization: " + c.auth + "\r\n"
		}
		resp, body := exchange(t, address, c.method, head+"\r\n")
		got := body + resp.Header.Get("X-Amzn-ErrorType")
		if resp.StatusCode != c.status || !strings.Contains(got, c.form) || !strings.Contains(got, c.message) {
			t.Errorf("%s %s (%.12s): %s %s\nwant %d %s %s", c.method, c.target, c.auth, resp.Status, got, c.status, c.form, c.message)
		}
	}
}

// Whoever keeps a body back is not waited for: neither if we know only the name of a key,
// nor if we know nothing and have answered already.
func TestBodyTimeout(t *testing.T) {
	t.Parallel()
	address := serveServices(t, 50*time.Millisecond)
	for name, head := range map[string]string{
		"signed":   signedHead(t, address, "POST", "bedrock", "0123456789", "Content-Length: 10"),
		"unsigned": "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 4") {
			t.Errorf("%s: the connection stays open: %v %s", name, err, b)
		}
	}
}

// An upload by somebody we know takes as long as it takes.
func TestBodyTimeoutEnds(t *testing.T) {
	t.Parallel()
	const timeout = 50 * time.Millisecond
	address := serveServices(t, timeout)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i, part := range []string{signedHead(t, address, "POST", "s3", "01", "Content-Length: 2"), "0", "1"} {
		if i > 0 {
			time.Sleep(2 * timeout) // the point of the test
		}
		if _, err := io.WriteString(conn, part); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "s3" {
		t.Errorf("%s: %v %s", resp.Status, err, b)
	}
}
