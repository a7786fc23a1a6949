package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	bedrocktypes "github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/sqlite"
	"outcrop.dev/outcrop/internal/reserve"
	"outcrop.dev/outcrop/server"
)

// smallDisk names the directory on which the child process of onSmallDisk mounts its disk.
const smallDisk = "OUTCROP_TEST_SMALL_DISK"

// onSmallDisk runs the test that calls it again, in a process with mounts of its own, and calls use there
// with the directory of a disk of 120 MB. Where nobody may mount it skips.
func onSmallDisk(t *testing.T, use func(t *testing.T, dir string)) {
	if dir := os.Getenv(smallDisk); dir != "" {
		for _, err := range []error{
			syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
			syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=120m"),
		} {
			if err != nil {
				t.Fatal("mount: ", err)
			}
		}
		use(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || bytes.Contains(out, []byte("mount: operation not permitted")) {
		t.Skip("NOT TESTED: a full disk, because this user may not mount one")
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// fill leaves no byte on the disk of a directory.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "fill"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 1 << 20; n > 0; {
		if _, err := f.Write(make([]byte, n)); errors.Is(err, syscall.ENOSPC) {
			n /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// clients are of one server.
type clients struct {
	s       *server.Server
	objects *s3.Client
	bedrock *bedrock.Client
	runtime *bedrockruntime.Client
}

// serveFull serves a data directory until stop is called.
func serveFull(t *testing.T, dir string, log io.Writer) (c clients, stop func()) {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{DataDir: dir, Listen: "127.0.0.1:0", Threads: 1, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	cfg := config(s, s.RootKey(), http1())
	c = clients{s, s3.NewFromConfig(cfg), bedrock.NewFromConfig(cfg), bedrockruntime.NewFromConfig(cfg)}
	return c, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// statusOf is that of an answer, with its message.
func statusOf(err error) (int, string) {
	if err == nil {
		return http.StatusOK, ""
	}
	var answer interface{ HTTPStatusCode() int }
	var api smithy.APIError
	if !errors.As(err, &answer) || !errors.As(err, &api) {
		return 0, err.Error()
	}
	return answer.HTTPStatusCode(), api.ErrorCode() + ": " + api.ErrorMessage()
}

// A full disk: what reads works, deletions work, other writes are told so, and a server starts.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	onSmallDisk(t, func(t *testing.T, disk string) {
		dir := filepath.Join(disk, "data")
		model := tuned(t, dir)
		spare := throughputRow(t, dir)
		var log lines
		c, stop := serveFull(t, dir, &log)
		stored := storeSome(t, c)
		fill(t, disk)
		c.refusesWrites(t, dir, model)
		c.reads(t)
		stop()
		fill(t, disk)
		c, stop = serveFull(t, dir, &log)
		defer func() { stop() }()
		fill(t, disk)
		c.refusesWrites(t, dir, model)
		c.reads(t)
		c.deletes(t, disk, stored, model, spare)
		if n := strings.Count(log.String(), "full"); n < 1 || n > 2*3 { // two servers, less than two minutes each
			t.Errorf("%d lines of the log tell of the full disk:\n%s", n, log.String())
		}
		t.Logf("the log:\n%s", log.String())
		if err := os.Remove(filepath.Join(disk, "fill")); err != nil {
			t.Fatal(err)
		}
		if status, said := ready(t, c.s); status != http.StatusOK {
			t.Errorf("not ready with room again: %s", said)
		}
		if _, err := c.objects.PutObject(t.Context(), put("kept", "again", "body")); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(filepath.Join(dir, reserve.File)); err != nil || info.Size() != reserve.Size {
			t.Errorf("the reserve was not taken again: %v, %v", info, err)
		}
	})
}

// throughputRow makes throughput that can be deleted, and returns its ARN.
func throughputRow(t *testing.T, dir string) outcrop.ARN {
	t.Helper()
	rows, err := sqlite.Open(t.Context(), filepath.Join(dir, "outcrop.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	scope := outcrop.Scope{Account: server.DefaultAccount, Region: "eu-west-3"}
	th := &outcrop.Throughput{Meta: outcrop.Meta{Kind: outcrop.KindThroughput, Scope: scope, ID: "spare1234567", Name: "spare",
		Status: outcrop.ThroughputFailed, ARN: scope.ARN(outcrop.KindThroughput, "spare1234567")}, ModelUnits: 1}
	if err := rows.Apply(t.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: th.Record()}); err != nil {
		t.Fatal(err)
	}
	return th.ARN
}

func put(bucket, key, body string) *s3.PutObjectInput {
	return &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)}
}

const storedObjects = 40

// storeSome makes objects, tags and an upload, whose id it returns.
func storeSome(t *testing.T, c clients) (upload string) {
	t.Helper()
	ctx := t.Context()
	for _, bucket := range []string{"kept", "gone"} {
		if _, err := c.objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range storedObjects {
		if _, err := c.objects.PutObject(ctx, put("kept", fmt.Sprint(i), "body")); err != nil {
			t.Fatal(err)
		}
	}
	tags := types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
	if _, err := c.objects.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: aws.String("kept"), Key: aws.String("0"), Tagging: &tags}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.objects.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: aws.String("gone"), Tagging: &tags}); err != nil {
		t.Fatal(err)
	}
	begun, err := c.objects.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("kept"), Key: aws.String("large")})
	if err != nil {
		t.Fatal(err)
	}
	return *begun.UploadId
}

// refusesWrites wants each write that makes no room to be refused with the numbers.
func (c clients) refusesWrites(t *testing.T, dir string, model outcrop.ARN) {
	t.Helper()
	ctx := t.Context()
	tags := types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}
	for name, do := range map[string]func() error{
		"507 PutObject": func() error {
			_, err := c.objects.PutObject(ctx, put("kept", "new", strings.Repeat("x", 1<<20)))
			return err
		},
		"507 empty PutObject": func() error { _, err := c.objects.PutObject(ctx, put("kept", "empty", "")); return err },
		"507 CreateBucket": func() error {
			_, err := c.objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("new")})
			return err
		},
		"507 CreateMultipartUpload": func() error {
			_, err := c.objects.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("kept"), Key: aws.String("m")})
			return err
		},
		"507 CopyObject": func() error {
			_, err := c.objects.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("kept"), Key: aws.String("c"), CopySource: aws.String("kept/1")})
			return err
		},
		"507 PutObjectTagging": func() error {
			_, err := c.objects.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: aws.String("kept"), Key: aws.String("1"), Tagging: &tags})
			return err
		},
		"503 TagResource": func() error {
			_, err := c.bedrock.TagResource(ctx, &bedrock.TagResourceInput{ResourceARN: aws.String(string(model)), Tags: []bedrocktypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
			return err
		},
		"503 CreateProvisionedModelThroughput": func() error {
			_, err := c.bedrock.CreateProvisionedModelThroughput(ctx, &bedrock.CreateProvisionedModelThroughputInput{ModelId: aws.String(string(model)), ModelUnits: aws.Int32(1), ProvisionedModelName: aws.String("new")})
			return err
		},
	} {
		// A write of rows may find room in the log of its database. So the room is used up first.
		var status int
		var said string
		for range 2000 {
			if status, said = statusOf(do()); status != http.StatusOK {
				break
			}
			fill(t, filepath.Dir(dir))
		}
		if fmt.Sprint(status) != name[:3] || !strings.Contains(said, "of 125.8 MB are free") {
			t.Errorf("%s: %d %s", name, status, said)
		}
	}
	if status, said := ready(t, c.s); status != http.StatusServiceUnavailable || !strings.Contains(said, "full") {
		t.Errorf("readyz: %d %s", status, said)
	}
}

func ready(t *testing.T, s *server.Server) (int, string) {
	t.Helper()
	res, err := http.Get(s.URL() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	said, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(said)
}

// reads wants what is there to be had.
func (c clients) reads(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	got, err := c.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("kept"), Key: aws.String("1")})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if b, err := io.ReadAll(got.Body); err != nil || string(b) != "body" {
		t.Errorf("%q, %v", b, err)
	}
	if list, err := c.bedrock.ListCustomModels(ctx, &bedrock.ListCustomModelsInput{}); err != nil || len(list.ModelSummaries) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := c.runtime.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{ModelId: aws.String("outcrop.pebble-v1"),
		Body: []byte(`{"inputText":"a","textGenerationConfig":{"maxTokenCount":1}}`)}); err != nil {
		t.Error(err)
	}
}

// deletes wants each deletion to be done, the disk being filled again before each.
func (c clients) deletes(t *testing.T, disk, upload string, model, spare outcrop.ARN) {
	t.Helper()
	ctx := t.Context()
	done := func(name string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fill(t, disk)
	}
	key := func(i int) *string { return aws.String(fmt.Sprint(i)) }
	_, err := c.objects.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: aws.String("kept"), Key: key(0)})
	done("DeleteObjectTagging", err)
	for i := range storedObjects / 2 {
		_, err = c.objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("kept"), Key: key(i)})
		done("DeleteObject", err)
	}
	var rest []types.ObjectIdentifier
	for i := storedObjects / 2; i < storedObjects; i++ {
		rest = append(rest, types.ObjectIdentifier{Key: key(i)})
	}
	_, err = c.objects.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("kept"), Delete: &types.Delete{Objects: rest}})
	done("DeleteObjects", err)
	_, err = c.objects.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String("kept"), Key: aws.String("large"), UploadId: &upload})
	done("AbortMultipartUpload", err)
	_, err = c.objects.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: aws.String("gone")})
	done("DeleteBucketTagging", err)
	_, err = c.objects.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("gone")})
	done("DeleteBucket", err)
	_, err = c.bedrock.DeleteProvisionedModelThroughput(ctx, &bedrock.DeleteProvisionedModelThroughputInput{ProvisionedModelId: aws.String(string(spare))})
	done("DeleteProvisionedModelThroughput", err)
	_, err = c.bedrock.DeleteCustomModel(ctx, &bedrock.DeleteCustomModelInput{ModelIdentifier: aws.String(string(model))})
	done("DeleteCustomModel", err)
}
