package sigv4

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// suiteVariable names the folder of AWS's signing test suite: tests/aws-signing-test-suite/v4 of
// github.com/awslabs/aws-c-auth.
const suiteVariable = "SIGV4_SUITE"

// The cases of AWS's own suite, signed in the header and in the query, are accepted; but
// post-sts-header-after adds a session token that is not signed, as one service takes it.
func TestSigningSuite(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(suiteVariable)
	if dir == "" {
		t.Skipf("SKIPPED: set %s to the folder of AWS's signing test suite", suiteVariable)
	}
	cases, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	accepted, all := 0, 0
	for _, c := range cases {
		for _, form := range []string{"header", "query"} {
			all++
			err := verifyCase(t, filepath.Join(dir, c.Name()), form)
			if err == nil {
				accepted++
			}
			if want := c.Name() != "post-sts-header-after"; (err == nil) != want {
				t.Errorf("%s, %s: %v", c.Name(), form, err)
			}
		}
	}
	t.Logf("%d of %d accepted", accepted, all)
}

// verifyCase parses a signed request by hand: some have spaces in their path.
func verifyCase(t *testing.T, dir, form string) error {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, form+"-signed-request.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var context struct {
		Credentials struct {
			Secret string `json:"secret_access_key"`
		}
		Timestamp time.Time
	}
	text, err := os.ReadFile(filepath.Join(dir, "context.json"))
	if err != nil || json.Unmarshal(text, &context) != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	head, body, _ := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	method, target, _ := strings.Cut(strings.TrimSuffix(lines[0], " HTTP/1.1"), " ")
	path, query, _ := strings.Cut(target, "?")
	r := &http.Request{Method: method, RequestURI: target, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	last := ""
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(line, " ") { // a value goes on
			values := r.Header[last]
			values[len(values)-1] += " " + strings.TrimSpace(line)
			continue
		}
		last = http.CanonicalHeaderKey(name)
		r.Header[last] = append(r.Header[last], value)
	}
	r.Host = r.Header.Get("Host")
	v := &Verifier{Secrets: func(string) (string, bool) { return context.Credentials.Secret, true }}
	_, err = v.Verify(r, context.Timestamp)
	return err
}

// A path with dots is read as it was signed, so that no other can be asked for with the signature.
func TestPathIsReadAsSigned(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"/":                "/",
		"/a/b":             "/a/b",
		"/a/../b":          "/b",
		"/./":              "/",
		"//a///b//":        "/a/b/",
		"/a/b/..":          "/a/",
		"/a/.":             "/a/",
		"/a%2F..%2Fb/../c": "/c",
		"/x/a%2F..%2Fb":    "/x/a%2F..%2Fb",
		"/../../etc":       "/etc",
	} {
		if got := normalize(sent); got != want {
			t.Errorf("%s is %s, want %s", sent, got, want)
		}
	}
	s := sdkSigned{method: "POST", url: "http://h/x/y", service: "bedrock", body: "{}"}
	r, err := parse(s.wire(t))
	if err != nil {
		t.Fatal(err)
	}
	r.RequestURI, r.URL.Path, r.URL.RawPath = "/x/./z/../y", "/x/./z/../y", ""
	if _, err := testVerifier().Verify(r, testNow); err != nil {
		t.Fatal(err)
	}
	if r.URL.Path != "/x/y" || r.RequestURI != "/x/y" {
		t.Errorf("%s (%s) is read, /x/y was signed", r.URL.Path, r.RequestURI)
	}
}
