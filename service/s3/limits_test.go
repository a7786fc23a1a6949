package s3_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestRequestLimits goes to each of S3's limits on a request, and one past it. The numbers are AWS's,
// written anew.
func TestRequestLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	keys := func(n, length int) string {
		object := "<Object><Key>" + strings.Repeat("k", length) + "</Key></Object>"
		return "<Delete>" + strings.Repeat(object, n) + "</Delete>"
	}
	tags := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<Tag><Key>k%d</Key><Value>v</Value></Tag>", i)
		}
		return "<Tagging><TagSet>" + b.String() + "</TagSet></Tagging>"
	}
	s.send("PUT", "/bucket/object", "", nil)
	for _, c := range []struct {
		name, method, target string
		limit                int
		body                 func(n int) string
		header               string // whose value is of n - 1 bytes, after a name of one
		past                 string // the error
	}{
		{name: "bytes of a key", method: "PUT", target: "/bucket/", limit: 1024, past: "KeyTooLongError"},
		{name: "bytes of metadata", method: "PUT", target: "/bucket/k", limit: 2048, header: "X-Amz-Meta-A", past: "MetadataTooLarge"},
		{name: "keys to delete", method: "POST", target: "/bucket?delete", limit: 1000, body: func(n int) string { return keys(n, 1) }, past: "MalformedXML"},
		{name: "tags of an object", method: "PUT", target: "/bucket/object?tagging", limit: 10, body: tags, past: "BadRequest"},
		{name: "tags of a bucket", method: "PUT", target: "/bucket?tagging", limit: 50, body: tags, past: "BadRequest"},
		{name: "buckets of a page", method: "GET", target: "/?max-buckets=", limit: 10_000, past: "InvalidArgument"},
		{name: "number of a part", method: "PUT", target: "/bucket/k?uploadId=x&partNumber=", limit: 10_000, past: "InvalidArgument"},
	} {
		for n := c.limit; n <= c.limit+1; n++ {
			target, body, header := c.target, "", map[string]string{}
			switch {
			case c.header != "":
				header[c.header] = strings.Repeat("v", n-1)
			case c.body != nil:
				body = c.body(n)
			case strings.HasSuffix(target, "="):
				target += fmt.Sprint(n)
			default:
				target += strings.Repeat("k", n)
			}
			w := s.send(c.method, target, body, header)
			if refused := strings.Contains(w.Body.String(), "<Code>"+c.past+"</Code>"); refused != (n > c.limit) {
				t.Errorf("%s: %d of %d: %d %.300s", c.name, n, c.limit, w.Code, w.Body)
			}
		}
	}
}
