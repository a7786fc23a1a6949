package sigv4

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The examples of the S3 API reference, "Signature calculations for the Authorization
// header: transferring payload in multiple chunks", with and without trailing headers.
const (
	docSeed         = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
	docSeedTrailer  = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
	docTrailerValue = "sOO8/Q=="
)

var docTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

func docBody(trailer string, signatures ...string) string {
	var b strings.Builder
	for i, n := range []int{65536, 1024, 0} {
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n", n, signatures[i])
		if n > 0 {
			b.WriteString(strings.Repeat("a", n) + "\r\n")
		}
	}
	return b.String() + trailer + "\r\n"
}

func docChunks() string {
	return docBody("", "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
		"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
		"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")
}

func docRequest(body string) *http.Request {
	r := httptest.NewRequest("PUT", "/examplebucket/chunkObject.txt", strings.NewReader(body))
	r.Host = "s3.amazonaws.com"
	r.Header = http.Header{
		"X-Amz-Date":                   {"20130524T000000Z"},
		"X-Amz-Storage-Class":          {"REDUCED_REDUNDANCY"},
		"X-Amz-Content-Sha256":         {streamingSigned},
		"Content-Encoding":             {"aws-chunked"},
		"X-Amz-Decoded-Content-Length": {"66560"},
		"Content-Length":               {"66824"},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=" + testKey + "/20130524/us-east-1/s3/aws4_request,SignedHeaders=" +
			"content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=" + docSeed},
	}
	return r
}

func TestChunkedSigned(t *testing.T) {
	t.Parallel()
	r := docRequest(docChunks())
	_, body, err := accept(testVerifier(), r, docTime)
	if err != nil || body != strings.Repeat("a", 66560) {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	if r.ContentLength != 66560 || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("length %d, encoding %q", r.ContentLength, r.Header.Get("Content-Encoding"))
	}
}

func TestChunkedSignedMutations(t *testing.T) {
	t.Parallel()
	whole := docChunks()
	for i := 0; i < len(whole); i++ {
		if i == 200 {
			i = 65500 // the letters between are all alike
		}
		if i == 65800 {
			i = 66600
		}
		b := []byte(whole)
		b[i] ^= 1
		if _, _, err := accept(testVerifier(), docRequest(string(b)), docTime); err == nil {
			t.Errorf("byte %d %q -> %q was accepted", i, whole[i], b[i])
		}
	}
	for _, n := range []int{0, 1, 88, 70000, len(whole) - 1, len(whole) - 2, len(whole) - 4} {
		if n > len(whole) {
			continue
		}
		if _, _, err := accept(testVerifier(), docRequest(whole[:n]), docTime); reason(err) != Incomplete {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
	if _, _, err := accept(testVerifier(), docRequest(whole+"x"), docTime); reason(err) != Incomplete {
		t.Errorf("one byte more: %v", err)
	}
}

func TestChunkedSignedTrailer(t *testing.T) {
	t.Parallel()
	request := func(value string) *http.Request {
		r := docRequest(docBody("x-amz-checksum-crc32c:"+value+"\r\n"+
			"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
			"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
			"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
			"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"))
		r.Header.Del("Content-Length")
		r.Header.Set("X-Amz-Content-Sha256", streamingSignedTrailer)
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+testKey+"/20130524/us-east-1/s3/aws4_request,SignedHeaders="+
			"content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature="+docSeedTrailer)
		return r
	}
	r := request(docTrailerValue)
	_, body, err := accept(testVerifier(), r, docTime)
	if err != nil || len(body) != 66560 {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	if got := r.Trailer.Get("X-Amz-Checksum-Crc32c"); got != docTrailerValue {
		t.Errorf("trailer %q", got)
	}
	if _, _, err := accept(testVerifier(), request("sOO8/g=="), docTime); reason(err) != Mismatch {
		t.Errorf("a changed trailer: %v", err)
	}
}

// chunked returns a reader of an unsigned aws-chunked body.
func chunked(body string, length int64, announced ...string) (*chunkReader, http.Header) {
	h := http.Header{}
	return newChunkReader(io.NopCloser(strings.NewReader(body)), length, announced, h), h
}

func TestChunkedUnsigned(t *testing.T) {
	t.Parallel()
	const sum = "x-amz-checksum-crc32"
	big := strings.Repeat("b", chunkMin)
	for _, c := range []struct {
		name, body string
		length     int64
		announced  []string
		want       string
		reason     Reason
	}{
		{"plain", "5\r\nhello\r\n0\r\n\r\n", 5, nil, "hello", 0},
		{"trailer", "5\r\nhello\r\n0\r\n" + sum + ":NhCmhg==\r\n\r\n", 5, []string{sum}, "hello", 0},
		{"empty", "0\r\n\r\n", 0, nil, "", 0},
		{"upper-case size", "A\r\n0123456789\r\n0\r\n\r\n", 10, nil, "0123456789", 0},
		{"last chunk small", "2000\r\n" + big + "\r\n1\r\nx\r\n0\r\n\r\n", chunkMin + 1, nil, big + "x", 0},
		{"small chunk in the middle", "1\r\nx\r\n1\r\ny\r\n0\r\n\r\n", 2, nil, "", BadChunk},
		{"shorter than announced", "5\r\nhello\r\n0\r\n\r\n", 6, nil, "", Incomplete},
		{"longer than announced", "5\r\nhello\r\n0\r\n\r\n", 4, nil, "", Incomplete},
		{"no end", "5\r\nhello\r\n", 5, nil, "", Incomplete},
		{"no last line", "5\r\nhello\r\n0\r\n", 5, nil, "", Incomplete},
		{"more behind it", "5\r\nhello\r\n0\r\n\r\nx", 5, nil, "", Incomplete},
		{"bare line feed", "5\nhello\r\n0\r\n\r\n", 5, nil, "", Incomplete},
		{"not a number", "z\r\nhello\r\n0\r\n\r\n", 5, nil, "", Incomplete},
		{"negative", "-5\r\nhello\r\n0\r\n\r\n", 5, nil, "", Incomplete},
		{"huge", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n", 5, nil, "", Incomplete},
		{"signed without reason", "5;chunk-signature=" + strings.Repeat("0", 64) + "\r\nhello\r\n0\r\n\r\n", 5, nil, "", Incomplete},
		{"trailer not announced", "5\r\nhello\r\n0\r\n" + sum + ":NhCmhg==\r\n\r\n", 5, nil, "", BadTrailer},
		{"trailer missing", "5\r\nhello\r\n0\r\n\r\n", 5, []string{sum}, "", BadTrailer},
		{"another trailer", "5\r\nhello\r\n0\r\nx-amz-meta-a:1\r\n\r\n", 5, []string{sum}, "", BadTrailer},
		{"trailer without colon", "5\r\nhello\r\n0\r\n" + sum + "\r\n\r\n", 5, []string{sum}, "", BadTrailer},
		{"line at the limit", "0\r\n" + sum + ":" + strings.Repeat("a", chunkLineMax-len(sum)-2) + "\r\n\r\n", 0, []string{sum}, "", 0},
		{"line past the limit", "0\r\n" + sum + ":" + strings.Repeat("a", chunkLineMax-len(sum)-1) + "\r\n\r\n", 0, []string{sum}, "", Incomplete},
		{"trailers past the limit", "0\r\n" + strings.Repeat(sum+":a\r\n", trailerLinesMax+1) + "\r\n", 0, nil, "", Incomplete},
	} {
		r, h := chunked(c.body, c.length, c.announced...)
		got, err := io.ReadAll(r)
		if reason(err) != c.reason || (c.reason == 0 && (err != nil || string(got) != c.want)) {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
		if c.name == "trailer" && h.Get(sum) != "NhCmhg==" {
			t.Errorf("trailer: %v", h)
		}
		if _, again := r.Read(make([]byte, 1)); err != nil && again != err {
			t.Errorf("%s: the error is not sticky: %v", c.name, again)
		}
	}
}

func TestChunkedNeedsLength(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"", "abc", "12x", "-1"} {
		r := docRequest(docChunks())
		r.Header.Set("X-Amz-Decoded-Content-Length", v)
		if err := installChunked(r, signed{}, nil); reason(err) != NoDecodedLength {
			t.Errorf("%q: %v", v, err)
		}
	}
}

func TestStripChunkedEncoding(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"aws-chunked": "", "aws-chunked,gzip": "gzip", "gzip, aws-chunked": "gzip", "br": "br"} {
		h := http.Header{"Content-Encoding": {in}}
		stripChunkedEncoding(h)
		if got := h.Get("Content-Encoding"); got != want {
			t.Errorf("%q -> %q, want %q", in, got, want)
		}
	}
}

func FuzzChunked(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), int64(5))
	f.Add([]byte(docChunks()[:200]), int64(66560))
	f.Fuzz(func(t *testing.T, body []byte, length int64) {
		r, _ := chunked(string(body), length, "x-amz-checksum-crc32")
		got, err := io.ReadAll(r)
		if err == nil && int64(len(got)) != length {
			t.Errorf("%d bytes of %d were accepted", len(got), length)
		}
		if len(got) > len(body) {
			t.Errorf("%d bytes out of %d", len(got), len(body))
		}
	})
}

// No header and no query makes Verify panic, and none that was not signed is accepted.
func FuzzVerify(f *testing.F) {
	for _, c := range sdkCases {
		f.Add(c.wire(f))
	}
	f.Add([]byte("GET /?AWSAccessKeyId=a&Signature=b&Expires=1 HTTP/1.1\r\nHost: x\r\n\r\n"))
	seeds := map[string]bool{}
	for _, c := range sdkCases {
		seeds[authOf(c.wire(f))] = true
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, err := parse(wire)
		if err != nil {
			return
		}
		if _, _, err := accept(testVerifier(), r, testNow); err == nil && !seeds[authOf(wire)] {
			t.Errorf("accepted %q", wire)
		}
	})
}

// authOf returns the signature in a request, by which a seed is known.
func authOf(wire []byte) string {
	_, rest, _ := bytes.Cut(wire, []byte("Signature="))
	if len(rest) < 64 {
		return ""
	}
	return string(rest[:64])
}
