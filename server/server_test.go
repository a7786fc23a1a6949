package server_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/server"
)

// start runs a server on a free port until the test ends.
func start(t testing.TB) *server.Server {
	t.Helper()
	return startIn(t, t.TempDir())
}

// startIn is start on the data directory dir.
func startIn(t testing.TB, dir string) *server.Server {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{DataDir: dir, Listen: "127.0.0.1:0", Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := os.Stat(filepath.Join(s.DataDir(), server.InfoFile)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s after the end: %v", server.InfoFile, err)
		}
	})
	return s
}

func config(s *server.Server, key iam.Key, h *http.Client) aws.Config {
	return aws.Config{
		Region: "eu-west-3", BaseEndpoint: aws.String(s.URL()), HTTPClient: h, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, ""),
	}
}

// http1 and http2 are the two protocols of the one port.
func http1() *http.Client { return &http.Client{Transport: &http.Transport{}} }

func http2() *http.Client {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: p}}
}

// One key and one port reach all services, by HTTP/1.1 and by HTTP/2 in clear text, in any region.
func TestServicesBehindOnePort(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, client := range map[string]*http.Client{"h1": http1(), "h2": http2()} {
		c := config(s, s.RootKey(), client)
		id, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil || *id.Arn != "arn:aws:iam::123456789012:root" {
			t.Fatalf("%s: GetCallerIdentity: %v %v", name, id, err)
		}
		objects := s3.NewFromConfig(c)
		bucket := aws.String("bucket-" + name)
		if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
			t.Fatalf("%s: CreateBucket: %v", name, err)
		}
		if _, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("things/x y"), Body: strings.NewReader("hi")}); err != nil {
			t.Fatalf("%s: PutObject: %v", name, err)
		}
		jobs, err := bedrock.NewFromConfig(c).ListModelCustomizationJobs(t.Context(), &bedrock.ListModelCustomizationJobsInput{})
		if err != nil || len(jobs.ModelCustomizationJobSummaries) != 0 {
			t.Fatalf("%s: ListModelCustomizationJobs: %v %v", name, jobs, err)
		}
	}
}

// A refusal is the error that the service's own clients know, and says what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, c := range map[string]struct {
		key           iam.Key
		bedrock, s3   string
		bedrockStatus int
	}{
		"unknown key":  {iam.Key{AccessKeyID: "AKIAWRONG", SecretAccessKey: "wrongwrong"}, "UnrecognizedClientException", "InvalidAccessKeyId", 403},
		"wrong secret": {iam.Key{AccessKeyID: s.RootKey().AccessKeyID, SecretAccessKey: "wrongwrong"}, "InvalidSignatureException", "SignatureDoesNotMatch", 403},
	} {
		cfg := config(s, c.key, http1())
		_, err := bedrock.NewFromConfig(cfg).ListFoundationModels(t.Context(), &bedrock.ListFoundationModelsInput{})
		refused(t, name+", bedrock", err, c.bedrock)
		_, err = s3.NewFromConfig(cfg).ListBuckets(t.Context(), &s3.ListBucketsInput{})
		refused(t, name+", s3", err, c.s3)
		_, err = sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		refused(t, name+", sts", err, "")
	}
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || (code != "" && e.ErrorCode() != code) || !strings.Contains(e.ErrorMessage(), "outcrop env") {
		t.Errorf("%s: %v, want %s and what to do", what, err, code)
	}
}

func get(t *testing.T, url string, header ...string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http1().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("%s: no request id", url)
	}
	return resp.StatusCode, string(b)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestUnsignedRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct {
		path, auth string
		status     int
		want       string
	}{
		{"/healthz", "", 200, "ok"},
		{"/readyz", "", 200, "ready"},
		{"/metrics", "", 401, "the key"},
		{"/metrics", basic(s.RootKey().AccessKeyID, "wrong"), 401, "the key"},
		{"/metrics", basic(s.RootKey().AccessKeyID, s.RootKey().SecretAccessKey), 200, "outcrop_"},
		{"/", "", 403, "<Code>AccessDenied</Code>"},
		{"/bucket/key", "", 403, "<Code>AccessDenied</Code>"},
		{"/foundation-models", "", 403, "not signed"},
		{"/foundation-models", "Bearer abc", 403, "AWS_BEARER_TOKEN_BEDROCK"},
		{"/_outcrop/attempt/v1/spec", "", 401, "token"},
		{"/_outcrop/attempt/v1/spec", "Bearer abc", 401, "token"},
	} {
		var header []string
		if c.auth != "" {
			header = []string{"Authorization", c.auth}
		}
		status, body := get(t, s.URL()+c.path, header...)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("GET %s (%s): %d %q, want %d and %q", c.path, c.auth, status, body, c.status, c.want)
		}
	}
}

func TestASecondServerIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, err := server.New(t.Context(), server.Config{DataDir: s.DataDir(), Listen: "127.0.0.1:0"})
	if err == nil || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second server: %v, want a refusal that names the pid", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]server.Config{
		"unknown kernel": {DataDir: t.TempDir(), Listen: "127.0.0.1:0", Kernel: "abacus"},
		"bad address":    {DataDir: t.TempDir(), Listen: "127.0.0.1:99999"},
		"half a key":     {DataDir: t.TempDir(), Listen: "127.0.0.1:0", RootKey: iam.Key{AccessKeyID: "AKIA"}},
	} {
		if _, err := server.New(t.Context(), c); err == nil {
			t.Errorf("%s: accepted", name)
		}
		c.Kernel, c.Listen, c.RootKey = "", "127.0.0.1:0", iam.Key{}
		again, err := server.New(t.Context(), c) // what failed has let go of the directory
		if err != nil {
			t.Errorf("after %s: %v", name, err)
			continue
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := again.Run(ctx); err != nil {
			t.Errorf("after %s: Run: %v", name, err)
		}
	}
}
