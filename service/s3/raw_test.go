package s3_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"outcrop.dev/outcrop/internal/s3test"
)

// signed sends a request of any shape, signed by the SDK's signer.
func signed(t testing.TB, address, method, target, hash, body string, headers map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+address+target, strings.NewReader(body))
	must(t, err)
	if hash == "" {
		sum := sha256.Sum256([]byte(body))
		hash = hex.EncodeToString(sum[:])
	}
	r.Header.Set("X-Amz-Content-Sha256", hash)
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	creds := aws.Credentials{AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey}
	must(t, v4.NewSigner().SignHTTP(ctx, creds, r, hash, "s3", "us-east-1", time.Now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }))
	resp, err := new(http.Transport).RoundTrip(r)
	must(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func bodyOf(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	must(t, err)
	return string(b)
}

// A key that is not UTF-8 could be stored and never listed.
func TestKeyIsUTF8(t *testing.T) {
	t.Parallel()
	address := serve(t)
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket", "", "", nil))
	if r := signed(t, address, "PUT", "/bucket/%ff", "", "x", nil); r.StatusCode != 400 || !strings.Contains(bodyOf(t, r), "InvalidURI") {
		t.Errorf("not UTF-8: %s", r.Status)
	}
	if r := signed(t, address, "PUT", "/bucket/%C3%BF", "", "x", nil); r.StatusCode != 200 {
		t.Errorf("UTF-8: %s %s", r.Status, bodyOf(t, r))
	}
}

// Nothing a client can send is answered 500, and every refusal is S3's XML.
func TestNothingIsAnInternalError(t *testing.T) {
	t.Parallel()
	address := serve(t)
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket", "", "", nil))
	methods := []string{"GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"}
	targets := []string{"/", "/bucket", "/bucket/", "/bucket/k", "/bucket//", "/Bad_Bucket/k", "/bucket/%00", "/bucket/%ff", "/b", "//k", "/bucket/..%2f.."}
	queries := []string{"", "?acl", "?uploads", "?uploadId=x", "?uploadId=x&partNumber=1", "?partNumber=0", "?delete", "?tagging", "?list-type=2&max-keys=-1",
		"?list-type=2&continuation-token=!", "?max-keys=x", "?versions", "?versionId=", "?x-id=PutObject", "?torrent", "?attributes", "?location",
		"?encoding-type=x", "?uploadId=x&partNumber=10001", "?restore", "?select&select-type=2", "?policy", "?object-lock", "?unknown", "?%zz", "?;", "?session"}
	bodies := []string{"", "<", "<a/>", "<Delete/>", "<CompleteMultipartUpload/>", strings.Repeat("<a>", 20000), "\x00\xff"}
	for _, m := range methods {
		for _, target := range targets {
			for i, q := range queries {
				r := signed(t, address, m, target+q, "", bodies[i%len(bodies)], map[string]string{"Range": "bytes=9-", "X-Amz-Copy-Source": []string{"", "/", "b/%zz", "x"}[i%4]})
				body := bodyOf(t, r)
				if r.StatusCode >= 500 && r.StatusCode != 501 {
					t.Errorf("%s %s%s: %d %s", m, target, q, r.StatusCode, body)
				}
				if m != "HEAD" && r.StatusCode >= 400 && !strings.Contains(body, "<Error><Code>") {
					t.Errorf("%s %s%s: %d %q is not an XML error", m, target, q, r.StatusCode, body)
				}
			}
		}
	}
}

// A body that is not what was signed is refused and nothing is stored.
func TestTamperedBodies(t *testing.T) {
	t.Parallel()
	address := serve(t)
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket", "", "", nil))
	other := sha256.Sum256([]byte("other"))
	const chunked = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	for name, c := range map[string]struct {
		hash, body string
		headers    map[string]string
		want       string
	}{
		"another hash": {hex.EncodeToString(other[:]), "body", nil, "XAmzContentSHA256Mismatch"},
		"wrong trailer": {chunked, "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
			map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": "4"}, "BadDigest"},
		"no trailer": {chunked, "4\r\nbody\r\n0\r\n\r\n",
			map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": "4"}, "MalformedTrailerError"},
		"cut off": {chunked, "4\r\nbo", map[string]string{"X-Amz-Decoded-Content-Length": "4"}, "IncompleteBody"},
		"md5":     {"UNSIGNED-PAYLOAD", "body", map[string]string{"Content-Md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "BadDigest"},
	} {
		r := signed(t, address, "PUT", "/bucket/k", c.hash, c.body, c.headers)
		if body := bodyOf(t, r); r.StatusCode != 400 || !strings.Contains(body, "<Code>"+c.want+"</Code>") {
			t.Errorf("%s: %d %s", name, r.StatusCode, body)
		}
		if r := signed(t, address, "HEAD", "/bucket/k", "", "", nil); r.StatusCode != 404 {
			t.Errorf("%s: something was stored", name)
		}
	}
	r := signed(t, address, "PUT", "/bucket/k", chunked, "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:26gLsg==\r\n\r\n",
		map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": "4", "Content-Encoding": "aws-chunked,gzip"})
	if body := bodyOf(t, r); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	r = signed(t, address, "GET", "/bucket/k", "", "", map[string]string{"X-Amz-Checksum-Mode": "ENABLED", "Accept-Encoding": "gzip"})
	if body := bodyOf(t, r); body != "body" || r.Header.Get("Content-Encoding") != "gzip" || r.Header.Get("X-Amz-Checksum-Crc32") == "" {
		t.Errorf("%q %v", body, r.Header)
	}
}

// A client that goes away in the middle leaves nothing behind.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	address := serve(t)
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket", "", "", nil))
	r, err := http.NewRequest("PUT", "http://"+address+"/bucket/k", nil)
	must(t, err)
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	creds := aws.Credentials{AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey}
	must(t, v4.NewSigner().SignHTTP(ctx, creds, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now()))
	conn, err := net.Dial("tcp", address)
	must(t, err)
	fmt.Fprintf(conn, "PUT /bucket/k HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n", address)
	must(t, r.Header.Write(conn))
	fmt.Fprint(conn, "\r\nonly this")
	must(t, conn.(*net.TCPConn).CloseWrite())
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	must(t, err)
	if body := bodyOf(t, resp); resp.StatusCode != 400 || !strings.Contains(body, "IncompleteBody") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	conn.Close()
	if r := signed(t, address, "HEAD", "/bucket/k", "", "", nil); r.StatusCode != 404 {
		t.Error("something was stored")
	}
}

// Expect: 100-continue, as the SDK sends it: without waiting for the answer.
func TestExpectNotAwaited(t *testing.T) {
	t.Parallel()
	c := s3.New(newClient(t).Options(), func(o *s3.Options) { o.ContinueHeaderThresholdBytes = 1 })
	put := func(bucket string, n int) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("k"), Body: bytes.NewReader(random(n))})
		return err
	}
	must(t, put("bucket", 1<<20))
	wantCode(t, "no bucket", put("none", 8<<20), "NoSuchBucket")
}

// Expect: 100-continue, by a client that waits: it need not send a large body that is
// refused.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	address := serve(t)
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket", "", "", nil))
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	for bucket, want := range map[string]int{"bucket": 200, "none": 404} {
		r, err := http.NewRequest("PUT", "http://"+address+"/"+bucket+"/k", bytes.NewReader(random(17<<20)))
		must(t, err)
		r.Header.Set("Expect", "100-continue")
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		creds := aws.Credentials{AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey}
		must(t, v4.NewSigner().SignHTTP(ctx, creds, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now()))
		told := false
		trace := &httptrace.ClientTrace{Got100Continue: func() { told = true }}
		resp, err := transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, trace)))
		must(t, err)
		if _ = bodyOf(t, resp); resp.StatusCode != want || told != (want == 200) {
			t.Errorf("%s: %d, told to go on: %v", bucket, resp.StatusCode, told)
		}
		resp.Body.Close()
	}
}

func TestPresigned(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	p := s3.NewPresignClient(c)
	key := aws.String("a//b ü+")
	up, err := p.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: key})
	must(t, err)
	send := func(method, url, body string) (int, string) {
		r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
		must(t, err)
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		defer resp.Body.Close()
		return resp.StatusCode, bodyOf(t, resp)
	}
	if status, body := send("PUT", up.URL, "hello"); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	down, err := p.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: key})
	must(t, err)
	if status, body := send("GET", down.URL, ""); status != 200 || body != "hello" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := send("DELETE", down.URL, ""); status != 403 || !strings.Contains(body, "SignatureDoesNotMatch") {
		t.Errorf("another method: %d %s", status, body)
	}
}

// Memory does not grow with the object, and throughput is the disk's; compare with
// dd if=/dev/zero of=x bs=1M count=256 conv=fsync.
func BenchmarkPutObject(b *testing.B) {
	address := serve(b)
	_ = bodyOf(b, signed(b, address, "PUT", "/bucket", "", "", nil))
	body := strings.Repeat("x", 256<<20)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if r := signed(b, address, "PUT", "/bucket/k", "UNSIGNED-PAYLOAD", body, nil); r.StatusCode != 200 {
			b.Fatal(bodyOf(b, r))
		}
	}
}

// A client that has a part of an object goes on only with the same object: else it gets the whole
// (If-Range), or is told (If-Match).
func TestIfRange(t *testing.T) {
	t.Parallel()
	address := serve(t)
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket", "", "", nil))
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket/k", "", "old bytes", nil))
	head := signed(t, address, "HEAD", "/bucket/k", "", "", nil)
	tag, date := head.Header.Get("ETag"), head.Header.Get("Last-Modified")
	modified, err := http.ParseTime(date)
	must(t, err)
	wantWhole := func(name, header, body string) {
		t.Helper()
		r := signed(t, address, "GET", "/bucket/k", "", "", map[string]string{"Range": "bytes=4-", "If-Range": header})
		if got := bodyOf(t, r); r.StatusCode != 200 || got != body || r.Header.Get("Content-Range") != "" {
			t.Errorf("%s: %s %q", name, r.Status, got)
		}
	}
	for name, header := range map[string]string{"its tag": tag, "its date": date} {
		r := signed(t, address, "GET", "/bucket/k", "", "", map[string]string{"Range": "bytes=4-", "If-Range": header})
		if got := bodyOf(t, r); r.StatusCode != 206 || got != "bytes" {
			t.Errorf("%s: %s %q", name, r.Status, got)
		}
	}
	wantWhole("an old date", modified.Add(-time.Second).Format(http.TimeFormat), "old bytes")
	wantWhole("a later date", modified.Add(time.Second).Format(http.TimeFormat), "old bytes")
	wantWhole("a weak tag", "W/"+tag, "old bytes")
	wantWhole("a tag without quotes", strings.Trim(tag, `"`), "old bytes")
	wantWhole("any tag", "*", "old bytes")
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket/k", "", "new object", nil))
	wantWhole("an old tag", tag, "new object")
	if r := signed(t, address, "GET", "/bucket/k", "", "", map[string]string{"Range": "bytes=4-", "If-Match": tag}); r.StatusCode != 412 {
		t.Errorf("If-Match: %s", r.Status)
	}
}
