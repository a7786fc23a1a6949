package s3_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"outcrop.dev/outcrop/internal/s3test"
	"outcrop.dev/outcrop/internal/trials"
)

// site is a store in a directory of its own, with other directories around it.
type site struct {
	testing.TB
	around, dir string
	handler     http.Handler
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{TB: t, around: t.TempDir()}
	s.dir = filepath.Join(s.around, "a", "store")
	must(t, os.MkdirAll(s.dir, 0o700))
	must(t, os.WriteFile(filepath.Join(s.around, "secret"), []byte("the operator's secret"), 0o600))
	h, store, err := s3test.Handler(ctx, s.dir, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { store.Close() })
	s.handler = h
	s.send("PUT", "/bucket", "", nil)
	return s
}

// send sends a signed request, whose target need not be one that a client would write.
func (s *site) send(method, target, body string, header map[string]string) *httptest.ResponseRecorder {
	s.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil // net/http refuses it before it comes here
	}
	r := httptest.NewRequestWithContext(s.Context(), method, "http://localhost/", strings.NewReader(body))
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.RequestURI = u.Path, u.RawPath, u.RawQuery, ""
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	if body != "" {
		sum := md5.Sum([]byte(body))
		r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	creds := aws.Credentials{AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey}
	must(s, v4.NewSigner().SignHTTP(ctx, creds, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }))
	r.RequestURI = r.URL.RequestURI()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code >= 500 && w.Code != http.StatusNotImplemented || strings.Contains(w.Body.String(), "operator's") {
		s.Errorf("%s %.200s: %d %.300s", method, target, w.Code, w.Body)
	}
	return w
}

// nothingOutside looks whether something was written around the store.
func (s *site) nothingOutside() {
	s.Helper()
	must(s, filepath.WalkDir(s.around, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != s.dir && !d.IsDir() && !strings.HasPrefix(path, s.dir+"/") && d.Name() != "secret" {
			s.Errorf("%s is outside of the store", path)
		}
		return err
	}))
}

// pathLike are keys that are paths somewhere.
var pathLike = []string{
	"..", "../", "../secret", "../../secret", "../../../../../../../../etc/passwd", "a/../../secret", "a/./b", ".", "./", "/", "//", "/etc/passwd",
	"a//b", "a/", "a/b/../c", "..\\..\\secret", "C:\\secret", "\\\\host\\share", "~", "~/x", "$HOME", "%2e%2e/secret", "%2e%2e%2fsecret", "..%2fsecret",
	"..%c0%afsecret", "....//secret", "index.db", "data/00/x", "lost+found", "tmp/x", ".git/config", "-rf", "--help", "*", "?", "a?b", "a#b", "a;b", "a|b", "`id`",
	"$(id)", "'", "\"", "a\nb", "a\tb", "a\x7fb", "\x01", "nul", "con.txt", "a ", " a", "\u202egnp.exe", "\ufeffa", "é", "e\u0301", "💥", strings.Repeat("a", 255),
	strings.Repeat("a", 256), strings.Repeat("a/", 512), strings.Repeat("../", 340) + "x",
}

// TestPathLikeKeys: a key is a name, whatever it looks like. What is written under it is read
// under it, and nothing is written elsewhere.
func TestPathLikeKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, key := range pathLike {
		target, body := "/bucket/"+(&url.URL{Path: key}).EscapedPath(), fmt.Sprint("body ", i)
		if w := s.send("PUT", target, body, nil); w.Code != 200 {
			t.Errorf("PUT %.100q: %d %s", key, w.Code, w.Body)
			continue
		}
		if w := s.send("GET", target, "", nil); w.Code != 200 || w.Body.String() != body {
			t.Errorf("GET %.100q: %d %.100q, want %q", key, w.Code, w.Body, body)
		}
	}
	t.Logf("%d keys", len(pathLike))
	for _, query := range []string{"list-type=2", "list-type=2&encoding-type=url", "delimiter=/", "versions"} {
		wellFormed(t, s.send("GET", "/bucket?"+query, "", nil).Body.String())
	}
	for _, bucket := range []string{"..", ".", "%2e%2e", "..%2f..", "a%2fb", "%00", "-", strings.Repeat("a", 300)} {
		for _, method := range []string{"PUT", "GET", "DELETE"} {
			if w := s.send(method, "/"+bucket, "", nil); w != nil && w.Code < 400 && method != "GET" {
				t.Errorf("%s bucket %s: %d", method, bucket, w.Code)
			}
		}
	}
	s.nothingOutside()
}

// bombs are documents that take a parser's memory, its time, or what is not its own.
var bombs = map[string]string{
	"billion laughs": `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">` + strings.Repeat(`<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">`, 30) + `]><Delete>&b;</Delete>`,
	"a file":         `<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>`,
	"another's DTD":  `<!DOCTYPE d SYSTEM "http://127.0.0.1:1/x.dtd"><Delete/>`,
	"deep":           strings.Repeat("<a>", 300_000),
	"deep, closed":   strings.Repeat("<a>", 50_000) + strings.Repeat("</a>", 50_000),
	"wide":           "<Delete>" + strings.Repeat("<Object><Key>a</Key></Object>", 30_000) + "</Delete>",
	"attributes":     "<Delete " + strings.Repeat(`a="b" `, 100_000) + "/>",
	"a long name":    "<" + strings.Repeat("a", 1_000_000) + "/>",
	"a long text":    "<Delete><Object><Key>" + strings.Repeat("a", 1_900_000) + "</Key></Object></Delete>",
	"another code":   "<?xml version=\"1.0\" encoding=\"UTF-16\"?><Delete/>",
	"noughts":        strings.Repeat("\x00", 100_000),
	"no end":         "<Delete><Object><Key>a",
	"CDATA":          "<Delete><Object><Key><![CDATA[" + strings.Repeat("]", 100_000) + "]]></Key></Object></Delete>",
	"comments":       "<Delete>" + strings.Repeat("<!-- -->", 100_000) + "</Delete>",
	"instructions":   strings.Repeat("<?a b?>", 100_000) + "<Delete/>",
	"parts":          "<CompleteMultipartUpload>" + strings.Repeat("<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>", 20_000) + "</CompleteMultipartUpload>",
	"tags":           "<Tagging><TagSet>" + strings.Repeat("<Tag><Key>a</Key><Value>b</Value></Tag>", 20_000) + "</TagSet></Tagging>",
}

// TestXMLBombs: whatever the document is, each operation that reads one answers with the client's error
// or takes it for what it says, in XML.
func TestXMLBombs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, bomb := range bombs {
		for _, op := range []string{"POST /bucket?delete", "PUT /bucket?tagging", "PUT /bucket/k?tagging", "POST /bucket/k?uploadId=x", "PUT /another", "PUT /bucket?acl", "PUT /bucket?versioning"} {
			method, target, _ := strings.Cut(op, " ")
			w := s.send(method, target, bomb, nil)
			if w.Code >= 400 && !strings.Contains(w.Body.String(), "<Error><Code>") {
				t.Errorf("%s to %s: %d %.200s", name, op, w.Code, w.Body)
			}
		}
	}
	s.nothingOutside()
}

// TestRandomRequests: whatever method, target, headers and body come together, the answer is no fault
// of ours and its XML is well formed.
func TestRandomRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := rand.New(rand.NewPCG(11, 4))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	answers := map[int]int{}
	for range trials.N(3000, 100_000) {
		target := pick("/", "/bucket", "/bucket/", "/bucket/k", "/bucket/"+url.PathEscape(pathLike[r.IntN(len(pathLike))]), "/no-such-bucket/k")
		var query []string
		for range r.IntN(4) {
			query = append(query, pick("acl", "uploads", "uploadId", "partNumber", "delete", "tagging", "list-type", "max-keys", "prefix", "delimiter", "marker", "start-after",
				"continuation-token", "versions", "versionId", "attributes", "location", "encoding-type", "versioning", "object-lock", "response-content-type", "x-id")+
				pick("", "=", "=1", "=2", "=0", "=-1", "=x", "=%00", "=%ff", "=null", "=url", "=99999999999999999999", "="+strings.Repeat("a", 1100)))
		}
		header := map[string]string{}
		for range r.IntN(4) {
			header[pick("Range", "If-Match", "If-None-Match", "If-Range", "If-Modified-Since", "X-Amz-Copy-Source", "X-Amz-Copy-Source-Range", "Content-Md5", "X-Amz-Checksum-Crc32",
				"X-Amz-Tagging", "X-Amz-Metadata-Directive", "X-Amz-Acl", "X-Amz-Storage-Class", "X-Amz-Server-Side-Encryption", "X-Amz-Meta-A", "X-Amz-Object-Attributes",
				"X-Amz-Checksum-Algorithm", "X-Amz-Expected-Bucket-Owner", "Content-Encoding", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer")] =
				pick("", "bytes=0-0", "bytes=9-1", "bytes=-1", "*", `"a"`, "x", "bucket/k", "/bucket/../k", "%zz", "1", "-1", "AAAAAA==", "a=b&a=c", "Sun, 06 Nov 1994 08:49:37 GMT", "CRC32", strings.Repeat("a", 3000))
		}
		body := pick("", "x", "<Delete/>", "<Tagging><TagSet/></Tagging>", "<CompleteMultipartUpload/>", "<", "\x00")
		w := s.send(pick("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"), target+"?"+strings.Join(query, "&"), body, header)
		if w == nil {
			continue
		}
		answers[w.Code]++
		if w.Code >= 400 && w.Body.Len() > 0 {
			wellFormed(t, w.Body.String())
		}
	}
	t.Logf("answers by their status: %v", answers)
	if answers[200] == 0 || answers[400] == 0 {
		t.Error("all were answered alike")
	}
	s.nothingOutside()
}

func wellFormed(t testing.TB, document string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(document)); ; {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Errorf("%v: %.300q", err, document)
			return
		}
	}
}
