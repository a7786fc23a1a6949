package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"outcrop.dev/outcrop/internal/trials"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func testVerifier() *Verifier {
	return &Verifier{
		Secrets: func(id string) (string, bool) { return testSecret, id == testKey },
		Bucket: func(host string) string {
			b, _ := strings.CutSuffix(host, ".s3.test")
			if b == host {
				return ""
			}
			return b
		},
	}
}

// sdkSigned signs with the SDK and returns the request as a server reads it off the wire.
type sdkSigned struct {
	method, url, service, hash string
	body                       string
	headers                    map[string]string
	presign                    bool
}

func (s sdkSigned) wire(t testing.TB) []byte {
	t.Helper()
	req, err := http.NewRequest(s.method, s.url, strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range s.headers {
		req.Header.Set(k, v)
	}
	hash := s.hash
	switch hash {
	case "":
		sum := sha256.Sum256([]byte(s.body))
		hash = hex.EncodeToString(sum[:])
		if s.service == "s3" {
			req.Header.Set("X-Amz-Content-Sha256", hash)
		}
	case "unsent":
		sum := sha256.Sum256([]byte(s.body))
		hash = hex.EncodeToString(sum[:])
	default:
		if !s.presign {
			req.Header.Set("X-Amz-Content-Sha256", hash)
		}
	}
	creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	opt := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s.service == "s3" }
	if s.presign {
		q := req.URL.Query()
		q.Set("X-Amz-Expires", "600")
		req.URL.RawQuery = q.Encode()
		u, h, err := v4.NewSigner().PresignHTTP(context.Background(), creds, req, hash, s.service, "us-east-1", testNow, opt)
		if err != nil {
			t.Fatal(err)
		}
		if req.URL, err = url.Parse(u); err != nil {
			t.Fatal(err)
		}
		for k := range req.Header {
			if h.Get(k) == "" {
				req.Header.Del(k)
			}
		}
	} else if err := v4.NewSigner().SignHTTP(context.Background(), creds, req, hash, s.service, "us-east-1", testNow, opt); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := req.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func parse(wire []byte) (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
}

// accept verifies a request and reads its body to the end.
func accept(v *Verifier, r *http.Request, now time.Time) (Identity, string, error) {
	id, err := v.Verify(r, now)
	if err != nil {
		return id, "", err
	}
	var b []byte
	if r.Body != nil {
		b, err = io.ReadAll(r.Body)
	}
	return id, string(b), err
}

func reason(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

var sdkCases = map[string]sdkSigned{
	"s3 put": {method: "PUT", url: "http://127.0.0.1:4510/bucket/a//b/%C3%BC%20(1)%2B..?x-id=PutObject&b=2&a&a=1", service: "s3",
		body: "hello, body", headers: map[string]string{"Content-Type": "text/plain", "X-Amz-Meta-Name": "two  spaces"}},
	"s3 empty":         {method: "GET", url: "http://127.0.0.1/", service: "s3"},
	"s3 unsigned body": {method: "PUT", url: "http://127.0.0.1/b/k?uploads", service: "s3", hash: unsignedPayload, body: "x"},
	"bedrock arn": {method: "POST", url: "http://127.0.0.1/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Acustom-model%2Fx/invoke", service: "bedrock",
		hash: "unsent", body: `{"inputText":"hi"}`},
	"bedrock hash sent": {method: "POST", url: "http://127.0.0.1/model/m/invoke", service: "bedrock", body: `{}`,
		headers: map[string]string{"X-Amz-Content-Sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}},
	"bedrock get": {method: "GET", url: "http://127.0.0.1/custom-models?creationTimeAfter=2025-01-01T00%3A00%3A00Z&maxResults=1", service: "bedrock", hash: "unsent"},
	"s3 presigned": {method: "GET", url: "http://127.0.0.1/bucket/k%20k?versionId=1&response-content-type=a%2Fb", service: "s3",
		hash: unsignedPayload, presign: true},
	"bedrock presigned": {method: "GET", url: "http://127.0.0.1/custom-models", service: "bedrock", hash: "unsent", presign: true},
}

func TestVerifySDK(t *testing.T) {
	t.Parallel()
	for name, c := range sdkCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := parse(c.wire(t))
			if err != nil {
				t.Fatal(err)
			}
			id, body, err := accept(testVerifier(), r, testNow)
			if err != nil {
				t.Fatal(err)
			}
			want := Identity{AccessKeyID: testKey, Region: "us-east-1", Service: c.service, Presigned: c.presign}
			if id != want || body != c.body {
				t.Errorf("identity %+v, body %q", id, body)
			}
		})
	}
}

// Every byte of the request matters: a change is refused, or it does not parse, or it lies
// in something that is not signed and changes nothing that is.
func TestVerifyMutations(t *testing.T) {
	t.Parallel()
	flips := []byte{0x01, 0x02, 0x08, 0x20, 0x80}
	if trials.Long {
		flips = flips[:0]
		for flip := 1; flip < 256; flip++ {
			flips = append(flips, byte(flip))
		}
	}
	for name, c := range sdkCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := c.wire(t)
			original, _ := parse(wire)
			refused, accepted := 0, 0
			for i := range wire {
				for _, flip := range flips {
					mutant := bytes.Clone(wire)
					mutant[i] ^= flip
					r, err := parse(mutant)
					if err != nil {
						continue
					}
					_, body, err := accept(testVerifier(), r, testNow)
					if err != nil {
						refused++
						continue
					}
					accepted++
					if c.hash == unsignedPayload {
						body = c.body
					}
					if diff := meaning(r, body, c.presign) != meaning(original, c.body, c.presign); diff {
						t.Errorf("byte %d %q -> %q was accepted:\n%s", i, wire[i], mutant[i], mutant)
					}
				}
			}
			if refused < 300 {
				t.Errorf("only %d mutants reached the verifier and were refused", refused)
			}
			t.Logf("%d mutants refused by the verifier, %d say the same", refused, accepted)
		})
	}
}

// meaning is everything that a handler may act on.
func meaning(r *http.Request, body string, presigned bool) string {
	q, _ := url.ParseQuery(r.URL.RawQuery)
	var h []string
	for _, name := range []string{"Content-Type", "X-Amz-Meta-Name", "X-Amz-Content-Sha256", "X-Amz-Date"} {
		for _, v := range r.Header.Values(name) {
			h = append(h, name+":"+strings.Join(strings.Fields(v), " "))
		}
	}
	if presigned {
		h = nil // only the host is signed
	}
	return strings.Join([]string{r.Method, r.Host, r.URL.Path, q.Encode(), strings.Join(h, "\n"), body}, "\n")
}

func TestVerifyTime(t *testing.T) {
	t.Parallel()
	header, presigned := sdkCases["s3 empty"], sdkCases["s3 presigned"]
	for _, c := range []struct {
		name   string
		signed sdkSigned
		at     time.Duration
		want   Reason
	}{
		{"at the limit", header, SkewMax, 0},
		{"past the limit", header, SkewMax + time.Second, Skewed},
		{"at the limit, ahead", header, -SkewMax, 0},
		{"past the limit, ahead", header, -SkewMax - time.Second, Skewed},
		{"presigned, at the end", presigned, 600 * time.Second, 0},
		{"presigned, past the end", presigned, 601 * time.Second, Expired},
		{"presigned, from the future", presigned, -SkewMax - time.Second, NotYetValid},
	} {
		r, err := parse(c.signed.wire(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := accept(testVerifier(), r, testNow.Add(c.at)); reason(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		edit func(r *http.Request)
		want Reason
		s3   string
		json string
	}{
		{"anonymous", func(r *http.Request) { r.Header.Del("Authorization") }, NoCredentials, "AccessDenied", "MissingAuthenticationTokenException"},
		{"no space", func(r *http.Request) { r.Header.Set("Authorization", "x") }, BadArgument, "InvalidArgument", "IncompleteSignatureException"},
		{"Version 2", func(r *http.Request) { r.Header.Set("Authorization", "AWS a:b") }, UnsupportedMechanism, "InvalidRequest", "IncompleteSignatureException"},
		{"two", func(r *http.Request) { r.Header.Add("Authorization", "x") }, BadArgument, "InvalidArgument", "IncompleteSignatureException"},
		{"header and query", func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=1" }, BadArgument, "InvalidArgument", "IncompleteSignatureException"},
		{"unknown key", replaceAuth(testKey, "AKIANOBODY"), UnknownKey, "InvalidAccessKeyId", "UnrecognizedClientException"},
		{"region", replaceAuth("us-east-1", "us_east_1"), MalformedHeader, "AuthorizationHeaderMalformed", "IncompleteSignatureException"},
		{"another region", replaceAuth("us-east-1", "us-east-2"), Mismatch, "SignatureDoesNotMatch", "InvalidSignatureException"},
		{"date of the scope", replaceAuth("20260304", "20260305"), MalformedHeader, "AuthorizationHeaderMalformed", "IncompleteSignatureException"},
		{"terminal", replaceAuth("aws4_request", "aws5_request"), MalformedHeader, "AuthorizationHeaderMalformed", "IncompleteSignatureException"},
		{"slash in the key", replaceAuth(testKey, "A/B"), MalformedHeader, "AuthorizationHeaderMalformed", "IncompleteSignatureException"},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, NoDate, "AccessDenied", "IncompleteSignatureException"},
		{"upper-case signature", func(r *http.Request) {
			a, sig, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", a+"Signature="+strings.ToUpper(sig))
		}, Mismatch, "SignatureDoesNotMatch", "InvalidSignatureException"},
		{"host not signed", replaceAuth("host;", ""), NotSigned, "AccessDenied", "InvalidSignatureException"},
		{"header not signed", func(r *http.Request) { r.Header.Set("X-Amz-Tagging", "a=b") }, NotSigned, "AccessDenied", "InvalidSignatureException"},
		{"no payload hash", func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, NoPayloadHash, "InvalidRequest", "InvalidSignatureException"},
		{"nonsense payload hash", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "abc") }, BadArgument, "InvalidArgument", "IncompleteSignatureException"},
	} {
		r, err := parse(sdkCases["s3 put"].wire(t))
		if err != nil {
			t.Fatal(err)
		}
		c.edit(r)
		_, _, err = accept(testVerifier(), r, testNow)
		var e *Error
		if !errors.As(err, &e) || e.Reason != c.want {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if name, status := e.S3(); name != c.s3 || status < 400 || status > 499 {
			t.Errorf("%s: S3 says %s %d", c.name, name, status)
		}
		if name, status := e.JSON(); name != c.json || status < 400 || status > 499 {
			t.Errorf("%s: JSON says %s %d", c.name, name, status)
		}
	}
}

func replaceAuth(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
	}
}

// TestReserve counts what is asked for, and refuses it. Bodies of S3 are not read into memory, and
// need nothing.
func TestReserve(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signed  sdkSigned
		length  int64 // announced, if not 0
		want    int64
		refused Reason // if not as Busy
	}{
		"announced":            {signed: sdkCases["bedrock arn"], want: int64(len(sdkCases["bedrock arn"].body))},
		"the largest":          {signed: sdkCases["bedrock arn"], length: BufferedMax, want: BufferedMax},
		"larger than that":     {signed: sdkCases["bedrock arn"], length: BufferedMax + 1, refused: BodyTooLarge},
		"not announced":        {signed: sdkCases["bedrock arn"], length: -1, want: BufferedMax},
		"hash sent":            {signed: sdkCases["bedrock hash sent"], want: int64(len(sdkCases["bedrock hash sent"].body))},
		"s3":                   {signed: sdkCases["s3 put"]},
		"s3, nothing is bound": {signed: sdkCases["s3 unsigned body"]},
	} {
		r, err := parse(c.signed.wire(t))
		if err != nil {
			t.Fatal(err)
		}
		if c.length != 0 {
			r.ContentLength = c.length
		}
		v := testVerifier()
		var asked int64
		full := errors.New("full")
		v.Reserve = func(_ context.Context, n int64) error {
			asked = n
			return full
		}
		_, err = v.Verify(r, testNow)
		if c.refused != 0 && reason(err) == c.refused && asked == 0 {
			continue
		}
		if asked != c.want || (c.want == 0) != (err == nil) {
			t.Errorf("%s: asked for %d bytes, want %d: %v", name, asked, c.want, err)
		}
		var e *Error
		if err == nil || !errors.As(err, &e) {
			continue
		}
		if code, status := e.S3(); e.Reason != Busy || !errors.Is(err, full) || code != "SlowDown" || status != http.StatusServiceUnavailable {
			t.Errorf("%s: %v, S3 says %s %d", name, err, code, status)
		}
		if code, status := e.JSON(); code != "ThrottlingException" || status != http.StatusTooManyRequests {
			t.Errorf("%s: JSON says %s %d", name, code, status)
		}
	}
}

func TestVerifyServices(t *testing.T) {
	t.Parallel()
	v := testVerifier()
	v.Services = []string{"bedrock"}
	r, _ := parse(sdkCases["s3 empty"].wire(t))
	if _, err := v.Verify(r, testNow); reason(err) != MalformedHeader {
		t.Error(err)
	}
	if _, err := new(Verifier).Verify(r, testNow); reason(err) != UnknownKey {
		t.Error("the zero verifier:", err)
	}
}

func TestVerifyExpires(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Reason{"604800": Mismatch, "604801": MalformedQuery, "-1": MalformedQuery, "x": MalformedQuery, "": MalformedQuery} {
		r, _ := parse(sdkCases["s3 presigned"].wire(t))
		q := r.URL.Query()
		q.Set("X-Amz-Expires", value)
		r.URL.RawQuery = q.Encode()
		if _, err := testVerifier().Verify(r, testNow); reason(err) != want {
			t.Errorf("X-Amz-Expires=%q: %v", value, err)
		}
	}
}

// JavaScript's HTTP/2 handler signs :authority in the place of host.
func TestVerifyAuthority(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/model/m/converse", strings.NewReader("{}"))
	r.Host = "127.0.0.1:18081"
	r.Header.Set("X-Amz-Date", testNow.Format(timeFormat))
	s := signed{accessKeyID: testKey, scope: scope{"20260304", "us-west-2", "bedrock", terminal}, time: testNow,
		headers: []string{":authority", "x-amz-date"}}
	canonical := "POST\n/model/m/converse\n\n:authority:127.0.0.1:18081\nx-amz-date:20260304T050607Z\n\n:authority;x-amz-date\n" +
		"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	sig := hex.EncodeToString(sign(signingKey(testSecret, s.scope), stringToSign(s, canonical)))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+testKey+"/"+s.scope.String()+", SignedHeaders=:authority;x-amz-date, Signature="+sig)
	id, body, err := accept(testVerifier(), r, testNow)
	if err != nil || id.Region != "us-west-2" || body != "{}" {
		t.Errorf("%+v %q %v", id, body, err)
	}
}

func TestVerifyBufferedLimit(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]Reason{BufferedMax: Mismatch, BufferedMax + 1: BodyTooLarge} {
		r, _ := parse(sdkCases["bedrock arn"].wire(t))
		r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, int64(n))), -1
		if _, err := testVerifier().Verify(r, testNow); reason(err) != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Signature Version 2 is for objects, for a week, and for parameters that are signed.
func TestV2IsNarrow(t *testing.T) {
	t.Parallel()
	now := time.Unix(1175139620, 0)
	for _, c := range []struct {
		method, path, more string
		life               time.Duration
		off, accepted      bool
	}{
		{"GET", "/photos/a", "", 0, false, true},
		{"HEAD", "/photos/a", "", ExpiresMax * time.Second, false, true},
		{"PUT", "/photos/a/b", "", time.Hour, false, true},
		{"GET", "/photos/a", "&response-content-type=text%2Fplain", time.Hour, false, true},
		{"GET", "/photos/a", "&versionId=1", time.Hour, false, true},
		{"GET", "/photos/a", "", ExpiresMax*time.Second + time.Second, false, false},
		{"GET", "/photos/a", "", math.MaxInt64, false, false},
		{"GET", "/photos/a", "", time.Hour, true, false},
		{"DELETE", "/photos/a", "", time.Hour, false, false},
		{"POST", "/photos/a", "", time.Hour, false, false},
		{"PUT", "/photos", "", time.Hour, false, false},
		{"PUT", "/photos/", "", time.Hour, false, false},
		{"GET", "/photos", "", time.Hour, false, false},
		{"GET", "/", "", time.Hour, false, false},
		{"GET", "/photos/a", "&list-type=2", time.Hour, false, false},
		{"GET", "/photos/a", "&prefix=x", time.Hour, false, false},
		{"GET", "/photos/a", "&response-nothing=x", time.Hour, false, false},
		{"GET", "/photos/a", "&acl", time.Hour, false, false},
		{"PUT", "/photos/a", "&tagging", time.Hour, false, false},
	} {
		expires := strconv.FormatInt(now.Add(c.life).Unix(), 10)
		r := httptest.NewRequest(c.method, c.path+"?AWSAccessKeyId="+testKey+"&Expires="+expires+c.more, nil)
		toSign := stringToSignV2(r, canonicalQueryPairs(r.URL.RawQuery), c.path)
		h := hmac.New(sha1.New, []byte(testSecret))
		h.Write([]byte(toSign))
		r.URL.RawQuery += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(h.Sum(nil)))
		v := testVerifier()
		v.NoV2 = c.off
		_, _, err := accept(v, r, now)
		if (err == nil) != c.accepted || !c.accepted && reason(err) != UnsupportedMechanism {
			t.Errorf("%s %s%s for %v: %v", c.method, c.path, c.more, c.life, err)
		}
	}
}

// Only S3 takes a body that is not signed whole.
func TestUnsignedPayloadIsForS3(t *testing.T) {
	t.Parallel()
	for _, hash := range []string{unsignedPayload, streamingUnsigned, streamingSigned, streamingSignedTrailer} {
		for _, service := range []string{"bedrock", "sts"} {
			r, err := parse(sdkSigned{method: "POST", url: "http://h/x", service: service, body: "{}", hash: hash}.wire(t))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Content-Sha256", hash)
			if _, err := testVerifier().Verify(r, testNow); reason(err) != BadArgument || !strings.Contains(err.Error(), "only S3 takes "+hash) {
				t.Errorf("%s, %s: %v", service, hash, err)
			}
			query := canonicalQueryPairs("X-Amz-Content-Sha256=" + hash)
			if _, err := presignedMode(r, signed{scope: scope{service: service}}, query); reason(err) != BadArgument {
				t.Errorf("%s, %s in a URL: %v", service, hash, err)
			}
		}
	}
}

// A body that cannot be read is the client's fault, whatever binds it.
func TestVerifyBrokenBody(t *testing.T) {
	t.Parallel()
	cut := errors.New("cut off")
	for _, s := range []sdkSigned{
		{method: "POST", url: "http://h/x", service: "bedrock", body: "{}"},
		{method: "PUT", url: "http://h/b/k", service: "s3", body: "{}"},
		{method: "PUT", url: "http://h/b/k", service: "s3", body: "{}", hash: "UNSIGNED-PAYLOAD"},
	} {
		r, err := parse(s.wire(t))
		if err != nil {
			t.Fatal(err)
		}
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), iotest.ErrReader(cut)))
		if _, _, err = accept(testVerifier(), r, testNow); reason(err) != Incomplete || !errors.Is(err, cut) {
			t.Errorf("%s %s: %v", s.service, s.hash, err)
		}
	}
}

// The example of the S3 user guide, "Signing and authenticating REST requests".
func TestVerifyV2(t *testing.T) {
	t.Parallel()
	const target = "/photos/puppy.jpg?AWSAccessKeyId=" + testKey + "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
	now := time.Unix(1175139620, 0)
	request := func() *http.Request {
		r := httptest.NewRequest("GET", target, nil)
		r.Host = "johnsmith.s3.test"
		return r
	}
	id, _, err := accept(testVerifier(), request(), now)
	if err != nil || id != (Identity{AccessKeyID: testKey, Service: "s3", Presigned: true}) {
		t.Errorf("%+v %v", id, err)
	}
	for name, c := range map[string]struct {
		edit func(*http.Request)
		at   time.Time
		want Reason
	}{
		"late":           {func(*http.Request) {}, now.Add(time.Second), Expired},
		"other bucket":   {func(r *http.Request) { r.Host = "paul.s3.test" }, now, Mismatch},
		"other method":   {func(r *http.Request) { r.Method = "PUT" }, now, Mismatch},
		"other path":     {func(r *http.Request) { r.RequestURI = strings.Replace(target, "puppy", "guppy", 1) }, now, Mismatch},
		"amz header":     {func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, now, Mismatch},
		"sub-resource":   {func(r *http.Request) { r.URL.RawQuery += "&versionId=1" }, now, Mismatch},
		"content type":   {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, now, Mismatch},
		"later expiry":   {func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "1175139620", "1175139621", 1) }, now, Mismatch},
		"no expiry":      {func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "Expires=1175139620", "", 1) }, now, NoCredentials},
		"nonsense":       {func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "1175139620", "soon", 1) }, now, NoCredentials},
		"unknown key":    {func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, testKey, "AKIA", 1) }, now, UnknownKey},
		"two signatures": {func(r *http.Request) { r.URL.RawQuery += "&Signature=x" }, now, NoCredentials},
	} {
		r := request()
		c.edit(r)
		if _, _, err := accept(testVerifier(), r, c.at); reason(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
