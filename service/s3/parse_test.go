package s3

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/wire/restxml"
)

func newCall(r *http.Request) *call {
	s := New(nil, Options{Domains: []string{"localhost", "s3.example.com"}})
	return &call{Service: s, r: r, w: httptest.NewRecorder(), ctx: r.Context(), query: r.URL.Query(), caller: outcrop.Caller{Account: "1"}}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ host, path, bucket, key string }{
		{"127.0.0.1:4510", "/", "", ""},
		{"127.0.0.1:4510", "/b", "b", ""},
		{"127.0.0.1:4510", "/b/", "b", ""},
		{"127.0.0.1:4510", "/b//", "b", "/"},
		{"127.0.0.1:4510", "/b/a//../c%2Fd", "b", "a//../c/d"},
		{"localhost:4510", "/b/k", "b", "k"},
		{"b.localhost:4510", "/", "b", ""},
		{"b.localhost:4510", "/a//b", "b", "a//b"},
		{"my.dotted.s3.example.com", "/k", "my.dotted", "k"},
		{"[::1]:4510", "/b/k", "b", "k"},
		{"b.localhost.evil", "/x/k", "x", "k"},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		r.Host = c.host
		if bucket, key := newCall(r).target(); bucket != c.bucket || key != c.key {
			t.Errorf("%s%s: %q %q", c.host, c.path, bucket, key)
		}
	}
}

func TestValidBucket(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"abc": true, "ab": false, strings.Repeat("a", 63): true, strings.Repeat("a", 64): false, "a.b-c1": true, "1ab": true,
		"-ab": false, "ab-": false, "a..b": false, "Abc": false, "a_b": false, "192.168.0.1": false, "xn--abc": false,
		"abc-s3alias": false, "": false, "a b": false, "äbc": false,
	} {
		if validBucket(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestParseRange(t *testing.T) {
	t.Parallel()
	for header, want := range map[string][3]int64{ // first, last, ok of an object of 10 bytes
		"bytes=0-0": {0, 0, 1}, "bytes=2-": {2, 9, 1}, "bytes=-3": {7, 9, 1}, "bytes=-20": {0, 9, 1}, "bytes=5-99": {5, 9, 1},
		"bytes=10-": {10, 9, 1}, "bytes=-0": {10, 10, 1}, "bytes=00-01": {0, 1, 1},
		"bytes=3-2": {}, "bytes=0-1,3-4": {}, "bytes=": {}, "bytes=-": {}, "bytes=a-b": {}, "items=0-1": {}, "bytes= -1": {}, "bytes=--1": {},
		"bytes=99999999999999999999-": {}, "bytes=+1-2": {},
	} {
		first, last, ok := parseRange(header, 10)
		if ok != (want[2] == 1) || ok && (first != want[0] || last != want[1]) {
			t.Errorf("%s: %d %d %v", header, first, last, ok)
		}
	}
	if _, _, ok := parseRange("bytes=-1", 0); ok {
		t.Error("the last byte of an empty object")
	}
}

func TestPutLimit(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{putMax: "", putMax + 1: "EntityTooLarge", -1: "MissingContentLength"} {
		r := httptest.NewRequest("PUT", "/b/k", nil)
		r.ContentLength = n
		err := newCall(r).checkLength()
		e, _ := err.(*restxml.Error)
		if err == nil && want != "" || err != nil && e.Code != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestDocumentLimit(t *testing.T) {
	t.Parallel()
	const frame = "<Tagging></Tagging>"
	for n, want := range map[int]error{documentMax: nil, documentMax + 1: errTooLong} {
		body := strings.Repeat(" ", n-len(frame)) + frame
		var v struct{}
		if err := newCall(httptest.NewRequest("PUT", "/b?tagging", strings.NewReader(body))).document(&v, false); err != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestTagLimits(t *testing.T) {
	t.Parallel()
	tag := func(k, v int) blob.Tag { return blob.Tag{Key: strings.Repeat("ü", k), Value: strings.Repeat("v", v)} }
	for _, c := range []struct {
		tags []blob.Tag
		ok   bool
	}{
		{[]blob.Tag{tag(tagKeyMax, tagValueMax)}, true},
		{[]blob.Tag{tag(tagKeyMax+1, 0)}, false},
		{[]blob.Tag{tag(1, tagValueMax+1)}, false},
		{[]blob.Tag{tag(0, 1)}, false},
		{[]blob.Tag{{Key: "a"}, {Key: "a"}}, false},
		{[]blob.Tag{{Key: "a?"}}, false},
		{make([]blob.Tag, objectTagsMax+1), false},
	} {
		if err := checkTags(c.tags, objectTagsMax); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.tags, err)
		}
	}
}

func TestMetadataEncoding(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"plain": "plain", "ü": "ü", "\xfc": "ü", "=?UTF-8?b?w7w=?=": "ü"} {
		if got := decodeMetadata(in); got != want {
			t.Errorf("%q -> %q", in, got)
		}
	}
	if got := decodeMetadata(encodeMetadata("日本")); got != "日本" {
		t.Errorf("%q", got)
	}
}

// Whatever a header says, parsing it neither panics nor yields nonsense.
func FuzzHeaders(f *testing.F) {
	f.Add("bytes=0-5", "bucket/k%20k?versionId=null", "a=1&b=2", "x-amz-checksum-crc32", "2")
	f.Fuzz(func(t *testing.T, byteRange, source, tags, trailer, number string) {
		first, last, ok := parseRange(byteRange, 100)
		if ok && (first < 0 || last > 100 || last < first-1 && first < 100) {
			t.Errorf("range %q: %d-%d", byteRange, first, last)
		}
		r := httptest.NewRequest("PUT", "/b/k?"+url.Values{"partNumber": {number}, "max-keys": {number}}.Encode(), nil)
		r.Header = http.Header{copySourceHeader: {source}, "X-Amz-Tagging": {tags}, "X-Amz-Trailer": {trailer}, "X-Amz-Checksum-Crc32": {number}}
		c := newCall(r)
		if src, err := c.copySource(); err == nil && (!validBucket(src.Bucket) || src.Key == "") {
			t.Errorf("source %q: %+v", source, src)
		}
		_, _ = c.taggingHeader()
		_, _ = c.expectation()
		if n, err := c.partNumber(); err == nil && (n < 1 || n > partsMax) {
			t.Errorf("part %q: %d", number, n)
		}
		if n, err := c.maxItems("max-keys"); err == nil && (n < 0 || n > listMax) {
			t.Errorf("max-keys %q: %d", number, n)
		}
		_ = sourceRange(&blob.Source{}, byteRange)
	})
}
