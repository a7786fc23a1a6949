//lint:file-ignore SA1019 the manager is what programs have; its successor is not pinned here

package s3_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"outcrop.dev/outcrop/internal/s3test"
)

var ctx = context.Background()

// serve starts a server and returns its address.
func serve(t testing.TB) string {
	t.Helper()
	h, store, err := s3test.Handler(ctx, t.TempDir(), slog.New(slog.DiscardHandler))
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := s3test.Server(h)
	go server.Serve(l)
	t.Cleanup(func() {
		server.Close()
		store.Close()
	})
	return l.Addr().String()
}

// config is how a client is set up.
type config struct {
	h2        bool
	host      string // bucket.host addressing, under this name
	accessKey string
	secret    string
	region    string
}

func (c config) client(address string) *s3.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!c.h2)
	transport.Protocols.SetUnencryptedHTTP2(c.h2)
	endpoint := "http://" + address
	if c.host != "" {
		_, port, _ := net.SplitHostPort(address)
		endpoint = "http://" + net.JoinHostPort(c.host, port)
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	}
	return s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: or(c.region, "us-east-1"), UsePathStyle: c.host == "",
		Credentials: credentials.NewStaticCredentialsProvider(or(c.accessKey, s3test.AccessKeyID), or(c.secret, s3test.SecretAccessKey), ""),
		HTTPClient:  &http.Client{Transport: transport}, Retryer: aws.NopRetryer{},
	})
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// newClient returns a client of a new server, with the bucket "bucket" made.
func newClient(t testing.TB) *s3.Client {
	t.Helper()
	c := config{}.client(serve(t))
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bucket")})
	must(t, err)
	return c
}

func put(t testing.TB, c *s3.Client, key, body string) {
	t.Helper()
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &key, Body: strings.NewReader(body)})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func get(t testing.TB, c *s3.Client, in *s3.GetObjectInput) string {
	t.Helper()
	in.Bucket = aws.String("bucket")
	out, err := c.GetObject(ctx, in)
	must(t, err)
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	must(t, err)
	return string(b)
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b) // never fails
	return b
}

var oddKeys = []string{
	"a", "a/b", "a//b", "/a", "//", "..", "../x", "./.", "tail/", "ü n i/ö", "sp ace+plus%25%2F&=?#;", "~!*'()", "日本語", "\U0001F600",
	"a\tb", strings.Repeat("k", 1024),
}

func TestKeysOverEveryTransport(t *testing.T) {
	t.Parallel()
	address := serve(t)
	_, err := config{}.client(address).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bucket")})
	must(t, err)
	for name, c := range map[string]config{"h1": {}, "h2": {h2: true}, "virtual host": {host: "localhost"}, "region": {region: "eu-west-3"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := c.client(address)
			for _, key := range oddKeys {
				body := name + key
				_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key), Body: strings.NewReader(body)})
				if err != nil {
					t.Fatalf("put %q: %v", key, err)
				}
				head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key)})
				if err != nil || *head.ContentLength == 0 {
					t.Errorf("head %q: %v", key, err)
				}
			}
		})
	}
}

func TestListsWhatWasPut(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, key := range oddKeys {
		put(t, c, key, "body of "+key)
	}
	want := slices.Sorted(slices.Values(oddKeys))
	var got []string
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String("bucket"), MaxKeys: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must(t, err)
		for _, o := range page.Contents {
			got = append(got, *o.Key)
			if body := get(t, c, &s3.GetObjectInput{Key: o.Key}); body != "body of "+*o.Key {
				t.Errorf("%q holds %q", *o.Key, body)
			}
		}
	}
	want[slices.Index(want, "a\tb")] = "a\tb"
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	top, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: aws.String("bucket"), Delimiter: aws.String("/"), EncodingType: "url", Prefix: aws.String("ü")})
	must(t, err)
	if len(top.CommonPrefixes) != 1 || *top.CommonPrefixes[0].Prefix != "%C3%BC%20n%20i/" || len(top.Contents) != 0 {
		t.Errorf("%+v", top.CommonPrefixes)
	}
	too := strings.Repeat("k", 1025)
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: &too, Body: strings.NewReader("x")})
	wantCode(t, "a key past the limit", err, "KeyTooLongError")
}

// The transfer manager uploads parts concurrently; downloads are ranges.
func TestTransferManager(t *testing.T) {
	t.Parallel()
	address := serve(t)
	for name, cfg := range map[string]config{"h1": {}, "h2": {h2: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, bucket, body := cfg.client(address), aws.String("bucket-"+name), random(17<<20+3)
			_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
			must(t, err)
			transfer := transfermanager.New(c, func(o *transfermanager.Options) { o.PartSizeBytes = 5 << 20 })
			_, err = transfer.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: bucket, Key: aws.String("big"), Body: bytes.NewReader(body)})
			must(t, err)
			got, err := os.Create(filepath.Join(t.TempDir(), "big"))
			must(t, err)
			defer got.Close()
			_, err = transfer.DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: bucket, Key: aws.String("big"), WriterAt: got})
			must(t, err)
			if have, err := os.ReadFile(got.Name()); err != nil || !bytes.Equal(have, body) {
				t.Error("the body came back changed")
			}
			attr, err := c.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: bucket, Key: aws.String("big"),
				ObjectAttributes: []types.ObjectAttributes{"ObjectParts", "ObjectSize", "Checksum"}})
			must(t, err)
			if *attr.ObjectSize != int64(len(body)) || *attr.ObjectParts.TotalPartsCount != 4 || attr.Checksum.ChecksumCRC32 == nil {
				t.Errorf("%+v %+v", attr.ObjectParts, attr.Checksum)
			}
			part, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("big"), PartNumber: aws.Int32(4)})
			must(t, err)
			b, _ := io.ReadAll(part.Body)
			if !bytes.Equal(b, body[15<<20:]) {
				t.Errorf("part 4 has %d bytes", len(b))
			}
		})
	}
}

func TestMultipartByHand(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	b, k := aws.String("bucket"), aws.String("k")
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k, Metadata: map[string]string{"m": "1"}})
	must(t, err)
	first := random(5 << 20)
	var parts []types.CompletedPart
	for i, body := range [][]byte{first, []byte("end")} {
		n := aws.Int32(int32(i + 1))
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: k, UploadId: up.UploadId, PartNumber: n, Body: bytes.NewReader(body)})
		must(t, err)
		parts = append(parts, types.CompletedPart{PartNumber: n, ETag: p.ETag, ChecksumCRC32: p.ChecksumCRC32})
	}
	list, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: b, Key: k, UploadId: up.UploadId, MaxParts: aws.Int32(1)})
	if err != nil || len(list.Parts) != 1 || !*list.IsTruncated || *list.NextPartNumberMarker != "1" {
		t.Errorf("%+v %v", list, err)
	}
	uploads, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: b})
	if err != nil || len(uploads.Uploads) != 1 || *uploads.Uploads[0].Key != "k" {
		t.Errorf("%+v %v", uploads, err)
	}
	complete := func(parts ...types.CompletedPart) error {
		_, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: k, UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
		return err
	}
	wantCode(t, "order", complete(parts[1], parts[0]), "InvalidPartOrder")
	wantCode(t, "etag", complete(types.CompletedPart{PartNumber: aws.Int32(1), ETag: aws.String("x")}), "InvalidPart")
	must(t, complete(parts...))
	must(t, complete(parts...)) // a client that missed the answer asks again
	out, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: k})
	if err != nil || *out.ContentLength != 5<<20+3 || out.Metadata["m"] != "1" {
		t.Errorf("%+v %v", out, err)
	}
	up, err = c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k})
	must(t, err)
	copied, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: b, Key: k, UploadId: up.UploadId, PartNumber: aws.Int32(1),
		CopySource: aws.String("bucket/k"), CopySourceRange: aws.String("bytes=5242880-5242882")})
	must(t, err)
	must(t, complete(types.CompletedPart{PartNumber: aws.Int32(1), ETag: copied.CopyPartResult.ETag}))
	if got := get(t, c, &s3.GetObjectInput{Key: k}); got != "end" {
		t.Errorf("a copied part: %q", got)
	}
	up, err = c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k})
	must(t, err)
	_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: k, UploadId: up.UploadId})
	must(t, err)
	wantCode(t, "aborted", complete(parts...), "NoSuchUpload")
}

func TestHeadersComeBack(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	k := aws.String("k")
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: k, Body: strings.NewReader("0123456789"),
		ContentType: aws.String("text/x"), CacheControl: aws.String("no-cache"), ContentDisposition: aws.String("inline"),
		ContentEncoding: aws.String("identity"), ContentLanguage: aws.String("de"), Metadata: map[string]string{"a": "1", "b": "2"},
		Tagging: aws.String("x=1&y=2")})
	must(t, err)
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: k, Range: aws.String("bytes=2-4"), ResponseExpires: aws.Time(time.Unix(0, 0))})
	must(t, err)
	b, _ := io.ReadAll(out.Body)
	got := fmt.Sprintln(string(b), *out.ContentType, *out.CacheControl, *out.ContentDisposition, *out.ContentEncoding, *out.ContentLanguage,
		out.Metadata, *out.TagCount, *out.ContentRange, *out.ETag, *out.ExpiresString)
	want := "234 text/x no-cache inline identity de map[a:1 b:2] 2 bytes 2-4/10 \"781e5e245d69b566979b86e28d23f2c7\" Thu, 01 Jan 1970 00:00:00 GMT\n"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("bucket"), Key: aws.String("copy"), CopySource: aws.String("bucket/k")})
	must(t, err)
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("copy")})
	if err != nil || head.Metadata["b"] != "2" || *head.ContentType != "text/x" {
		t.Errorf("%+v %v", head, err)
	}
	tags, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: aws.String("bucket"), Key: aws.String("copy")})
	if err != nil || len(tags.TagSet) != 2 {
		t.Errorf("%+v %v", tags, err)
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	b, k := aws.String("bucket"), aws.String("k")
	write := func(in *s3.PutObjectInput) error {
		in.Bucket, in.Key, in.Body = b, k, strings.NewReader("x")
		_, err := c.PutObject(ctx, in)
		return err
	}
	read := func(in *s3.GetObjectInput) error {
		in.Bucket, in.Key = b, k
		_, err := c.GetObject(ctx, in)
		return err
	}
	wantCode(t, "If-Match on nothing", write(&s3.PutObjectInput{IfMatch: aws.String("*")}), "NoSuchKey")
	must(t, write(&s3.PutObjectInput{IfNoneMatch: aws.String("*")}))
	wantCode(t, "If-None-Match: *", write(&s3.PutObjectInput{IfNoneMatch: aws.String("*")}), "PreconditionFailed")
	etag := aws.String(fmt.Sprintf(`"%x"`, md5.Sum([]byte("x"))))
	must(t, write(&s3.PutObjectInput{IfMatch: etag}))
	must(t, read(&s3.GetObjectInput{IfMatch: etag, IfUnmodifiedSince: aws.Time(time.Unix(0, 0))}))
	wantCode(t, "If-Match", read(&s3.GetObjectInput{IfMatch: aws.String("x")}), "PreconditionFailed")
	wantCode(t, "If-None-Match", read(&s3.GetObjectInput{IfNoneMatch: etag}), "NotModified")
	wantCode(t, "If-Modified-Since", read(&s3.GetObjectInput{IfModifiedSince: aws.Time(time.Now().Add(time.Hour))}), "NotModified")
	wantCode(t, "If-Unmodified-Since", read(&s3.GetObjectInput{IfUnmodifiedSince: aws.Time(time.Unix(0, 0))}), "PreconditionFailed")
}

func TestChecksums(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	b := aws.String("bucket")
	for _, a := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("k"), Body: strings.NewReader("hello"), ChecksumAlgorithm: a})
		if err != nil {
			t.Errorf("%s: %v", a, err)
		}
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("k"), ChecksumMode: "ENABLED"})
		must(t, err)
		if got, err := io.ReadAll(out.Body); err != nil || string(got) != "hello" { // the SDK compares at the end
			t.Errorf("%s: %q %v", a, got, err)
		}
	}
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("bad"), Body: strings.NewReader("hello"), ChecksumCRC32: aws.String("AAAAAA==")})
	wantCode(t, "wrong CRC32", err, "BadDigest")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("bad"), Body: strings.NewReader("hello"),
		ContentMD5: aws.String(base64.StdEncoding.EncodeToString(make([]byte, 16)))})
	wantCode(t, "wrong MD5", err, "BadDigest")
	_, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: aws.String("bad")})
	wantCode(t, "what was refused", err, "NotFound")
}

func TestDeleteObjects(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	var ids []types.ObjectIdentifier
	for i := range 5 {
		key := fmt.Sprintf("k<&>%d", i)
		put(t, c, key, "x")
		ids = append(ids, types.ObjectIdentifier{Key: &key})
	}
	ids = append(ids, types.ObjectIdentifier{Key: aws.String("none")}, types.ObjectIdentifier{Key: aws.String(strings.Repeat("k", 1025))})
	out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("bucket"), Delete: &types.Delete{Objects: ids}})
	must(t, err)
	if len(out.Deleted) != 6 || len(out.Errors) != 1 || *out.Errors[0].Code != "KeyTooLongError" {
		t.Errorf("%+v %+v", out.Deleted, out.Errors)
	}
	for n, code := range map[int]string{1000: "", 1001: "MalformedXML"} {
		var many []types.ObjectIdentifier
		for i := range n {
			many = append(many, types.ObjectIdentifier{Key: aws.String(fmt.Sprint(i))})
		}
		_, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("bucket"), Delete: &types.Delete{Objects: many, Quiet: aws.Bool(true)}})
		if code != "" {
			wantCode(t, fmt.Sprint(n), err, code)
		} else {
			must(t, err)
		}
	}
	_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("bucket")})
	must(t, err)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	address := serve(t)
	c := config{}.client(address)
	b, k := aws.String("bucket"), aws.String("k")
	_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k})
	wantCode(t, "no bucket", err, "NoSuchBucket")
	_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("Bad_Name")})
	wantCode(t, "bad name", err, "InvalidBucketName")
	_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b})
	must(t, err)
	_, err = config{region: "eu-west-1"}.client(address).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b})
	wantCode(t, "again", err, "BucketAlreadyOwnedByYou")
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k})
	wantCode(t, "no key", err, "NoSuchKey")
	_, err = c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: b})
	wantCode(t, "policy", err, "NoSuchBucketPolicy")
	_, err = c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: b, Policy: aws.String("{}")})
	wantCode(t, "put policy", err, "NotImplemented")
	_, err = c.GetBucketAnalyticsConfiguration(ctx, &s3.GetBucketAnalyticsConfigurationInput{Bucket: b, Id: aws.String("x")})
	wantCode(t, "analytics", err, "NotImplemented")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: k, Body: strings.NewReader("x"), ServerSideEncryption: "AES256"})
	wantCode(t, "encryption", err, "NotImplemented")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: k, Body: strings.NewReader("x"), ACL: "public-read"})
	wantCode(t, "ACL", err, "AccessControlListNotSupported")
	put(t, c, "k", "0123456789")
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k, Range: aws.String("bytes=10-")})
	wantCode(t, "range", err, "InvalidRange")
	_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b})
	wantCode(t, "not empty", err, "BucketNotEmpty")
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k, VersionId: aws.String("x")})
	wantCode(t, "version", err, "NoSuchVersion")
	_, err = c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: b, ExpectedBucketOwner: aws.String("000000000000")})
	wantCode(t, "owner", err, "Forbidden")
	for _, size := range []int{2048, 2049} {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: k, Body: strings.NewReader("x"),
			Metadata: map[string]string{"m": strings.Repeat("v", size-1)}})
		if size == 2048 {
			must(t, err)
		} else {
			wantCode(t, "metadata past the limit", err, "MetadataTooLarge")
		}
	}
	_, err = config{secret: "wrong"}.client(address).ListBuckets(ctx, &s3.ListBucketsInput{})
	wantCode(t, "secret", err, "SignatureDoesNotMatch")
	_, err = config{secret: "wrong"}.client(address).PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: k, Body: bytes.NewReader(random(8 << 20))})
	wantCode(t, "secret, and a body that is sent at once", err, "SignatureDoesNotMatch")
	_, err = config{accessKey: "AKIANOBODY"}.client(address).ListBuckets(ctx, &s3.ListBucketsInput{})
	wantCode(t, "key", err, "InvalidAccessKeyId")
}
