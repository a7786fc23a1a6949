package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/service/bedrockruntime"
	"outcrop.dev/outcrop/wire/restjson"
)

// denied is a server that refuses one action.
type denied struct {
	*Server
	action string   // that nobody may
	asked  []string // since the last request: action and resource
}

func newDenied(t *testing.T) *denied {
	t.Helper()
	s, err := New(t.Context(), Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0", Threads: 1, RootKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	d := &denied{Server: s}
	s.may = func(ctx context.Context, action string, resource outcrop.ARN) error {
		d.asked = append(d.asked, action+" "+string(resource))
		caller, err := outcrop.CallerOf(ctx)
		if err == nil && action == d.action {
			err = outcrop.Errorf(outcrop.CodeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s", caller.ARN, action, resource)
		}
		return err
	}
	return d
}

// do makes one request, signed for a service.
func (d *denied) do(t *testing.T, service, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, bytes.NewBufferString(body))
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	r.RequestURI, r.Host = "", "localhost"
	key := aws.Credentials{AccessKeyID: testKey.AccessKeyID, SecretAccessKey: testKey.SecretAccessKey}
	path := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }
	if err := v4.NewSigner().SignHTTP(t.Context(), key, r, hash, service, "us-east-1", time.Now(), path); err != nil {
		t.Fatal(err)
	}
	d.asked = nil
	w := httptest.NewRecorder()
	d.handler().ServeHTTP(w, r.WithContext(d.conns.accepted(r.Context(), &fakeConn{from: "127.0.0.1"})))
	return w
}

func refused(w *httptest.ResponseRecorder, action string) bool {
	return w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), "User: arn:aws:iam::123456789012:root is not authorized to perform: "+action+" on resource: ")
}

var (
	label    = regexp.MustCompile(`\{(\w+)\}`)
	notAKind = regexp.MustCompile(`^(.*\|)?|\{\w+\}$`)
)

// Every operation of the service models asks once for its action, on what the member that its
// Resource names holds, before anything else.
func TestEveryOperationAsks(t *testing.T) {
	t.Parallel()
	d := newDenied(t)
	router := restjson.NewRouter(newRequestID, d.cfg.Log)
	bedrock.Register(router, bedrock.Unimplemented{})
	bedrockruntime.Register(router, bedrockruntime.Unimplemented{})
	for _, op := range router.Operations() {
		target, body, want := label.ReplaceAllString(op.Path, "some-name"), "{}", outcrop.Anything
		if m := label.FindStringSubmatch(op.Resource); m != nil {
			body = `{"` + m[1] + `": "some-name"}`
			if want = "some-name"; op.Resource != m[0] {
				kind := strings.Trim(notAKind.ReplaceAllString(op.Resource, ""), "/")
				want = outcrop.Scope{Account: DefaultAccount, Region: "us-east-1"}.ARN(outcrop.Kind(kind), "some-name")
			}
		}
		if op.Method == http.MethodGet || op.Method == http.MethodDelete {
			body = ""
		}
		d.action = op.Action
		w := d.do(t, "bedrock", op.Method, target, body)
		if asked := []string{op.Action + " " + string(want)}; !refused(w, op.Action) || w.Header().Get("X-Amzn-ErrorType") != "AccessDeniedException" || !slices.Equal(d.asked, asked) {
			t.Errorf("%s: %d %s, asked %q and not %q", op.Name, w.Code, w.Body, d.asked, asked)
		}
		d.action = "bedrock:Other"
		if w := d.do(t, "bedrock", op.Method, target, body); refused(w, op.Action) || w.Code >= 500 {
			t.Errorf("%s, allowed: %d %s", op.Name, w.Code, w.Body)
		}
	}
}

// What is refused has not been done; what is allowed has.
func TestDeniedChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDenied(t)
	const create = `{"provisionedModelName": "mine", "modelId": "outcrop.pebble-v1", "modelUnits": 1}`
	for _, c := range []struct{ service, method, target, body, action, look, before, after string }{
		{"bedrock", "POST", "/provisioned-model-throughput", create, "bedrock:CreateProvisionedModelThroughput", "/provisioned-model-throughputs", "", "mine"},
		{"bedrock", "DELETE", "/provisioned-model-throughput/mine", "", "bedrock:DeleteProvisionedModelThroughput", "/provisioned-model-throughputs", "mine", ""},
		{"s3", "PUT", "/bucket", "", "s3:CreateBucket", "/", "", "<Name>bucket</Name>"},
		{"s3", "PUT", "/bucket/key", "text", "s3:PutObject", "/bucket", "", "<Key>key</Key>"},
		{"s3", "DELETE", "/bucket/key", "", "s3:DeleteObject", "/bucket", "<Key>key</Key>", ""},
		{"s3", "DELETE", "/bucket", "", "s3:DeleteBucket", "/", "<Name>bucket</Name>", ""},
	} {
		sees := func(yes, no string) bool {
			body := d.do(t, c.service, "GET", c.look, "").Body.String()
			return strings.Contains(body, yes) && (no == "" || !strings.Contains(body, no))
		}
		d.action = c.action
		if w := d.do(t, c.service, c.method, c.target, c.body); !refused(w, c.action) || !sees(c.before, c.after) {
			t.Errorf("%s, denied: %d %s", c.action, w.Code, w.Body)
		}
		d.action = ""
		if w := d.do(t, c.service, c.method, c.target, c.body); w.Code >= 300 || !sees(c.after, c.before) {
			t.Errorf("%s, allowed: %d %s", c.action, w.Code, w.Body)
		}
	}
	d.action = "sts:GetCallerIdentity"
	if w := d.do(t, "sts", "GET", "/?Action=GetCallerIdentity", ""); !refused(w, d.action) || !strings.Contains(w.Body.String(), "<Code>AccessDenied</Code>") {
		t.Errorf("sts, denied: %d %s", w.Code, w.Body)
	}
}
