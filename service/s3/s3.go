// Package s3 is the S3 API over an object store: one file per operation, named as boto3
// names the method.
//
// It knows no disk and no signature. A request arrives verified: its context carries an
// outcrop.Caller, and its body fails before io.EOF if it is not what was signed, so every
// operation reads a body to its end before anything of it counts. Checksums that trail a
// body are in the request's Trailer. An error of a body may say its S3 name by a method
// S3() (code string, status int).
//
//	h := s3.New(store, s3.Options{Domains: []string{"localhost"}, NewRequestID: id, Log: log})
//
// Buckets are addressed as /bucket/key or as bucket.domain/key. There is one region, the
// one that the caller signed for, and one owner. There are no versions, ACLs or policies:
// asking for them gives what S3 gives for a bucket that has none; setting them is answered
// 501, never 500, which clients would repeat.
package s3

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/wire/restxml"
)

// Store keeps buckets and objects. Its methods give the errors of package blob, and are safe
// for concurrent use. What a method that writes has returned without an error is durable.
type Store interface {
	CreateBucket(ctx context.Context, name string, tags []blob.Tag) error
	HeadBucket(ctx context.Context, name string) (blob.Bucket, error)
	DeleteBucket(ctx context.Context, name string) error
	ListBuckets(ctx context.Context, prefix, after string, max int) ([]blob.Bucket, error)
	SetBucketTags(ctx context.Context, name string, tags []blob.Tag) error

	Put(ctx context.Context, bucket, key string, in blob.PutInput) (blob.Object, error)
	Head(ctx context.Context, bucket, key string) (blob.Object, error)
	Open(ctx context.Context, bucket, key string) (blob.Object, blob.Reader, error)
	Delete(ctx context.Context, bucket, key string, c blob.Condition) error
	DeleteMany(ctx context.Context, bucket string, keys []string) error
	SetTags(ctx context.Context, bucket, key string, tags []blob.Tag) error
	Copy(ctx context.Context, src blob.Source, bucket, key string, in blob.CopyInput) (blob.Object, error)
	ListObjects(ctx context.Context, bucket string, q blob.ObjectQuery) (blob.ObjectPage, error)
	ListObjectParts(ctx context.Context, o blob.Object, after, max int) ([]blob.Part, error)

	CreateUpload(ctx context.Context, u blob.Upload) (blob.Upload, error)
	FindUpload(ctx context.Context, bucket, key, id string) (blob.Upload, error)
	UploadPart(ctx context.Context, bucket, key, id string, number int, in blob.PutInput) (blob.Part, error)
	UploadPartCopy(ctx context.Context, src blob.Source, bucket, key, id string, number int) (blob.Part, error)
	ListParts(ctx context.Context, bucket, key, id string, after, max int) (blob.Upload, []blob.Part, error)
	ListUploads(ctx context.Context, bucket string, q blob.UploadQuery) (blob.UploadPage, error)
	AbortUpload(ctx context.Context, bucket, key, id string) error
	CompleteUpload(ctx context.Context, bucket, key, id string, in blob.CompleteInput) (blob.Object, error)
}

// Options configure a Service.
type Options struct {
	// Domains are the hosts under which bucket.domain names a bucket, such as "localhost".
	Domains []string
	// NewRequestID makes the id of a request that has none in the answer's headers yet.
	NewRequestID func() string
	Log          *slog.Logger
}

// Service answers S3 requests.
type Service struct {
	store Store
	opt   Options
}

// New returns a service over store.
func New(store Store, opt Options) *Service { return &Service{store, opt} }

// call is one request.
type call struct {
	*Service
	w           http.ResponseWriter
	r           *http.Request
	ctx         context.Context
	caller      outcrop.Caller
	bucket, key string
	query       url.Values
}

// operation is what a request selects. answer answers a call, or returns why not; then nothing
// has been written. action is what the caller must be allowed, as IAM calls it after "s3:": often
// not the operation's name.
type operation struct {
	action string
	answer func(*call) error
}

// ServeHTTP answers one request, which the server has authenticated.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.identify(w)
	c := &call{Service: s, w: w, r: r, ctx: r.Context(), query: r.URL.Query()}
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

// Refuse answers a request that failed before it came here, in authentication: err should
// say its S3 name by a method S3(), as those of wire/sigv4 do.
func (s *Service) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.identify(w)
	c := &call{Service: s, w: w, r: r, ctx: r.Context(), query: r.URL.Query()}
	c.bucket, c.key = c.target()
	c.fail(err)
}

func (s *Service) identify(w http.ResponseWriter) {
	h := w.Header()
	if h.Get(restxml.RequestIDHeader) == "" {
		h.Set(restxml.RequestIDHeader, s.opt.NewRequestID())
	}
	h.Set(restxml.HostIDHeader, h.Get(restxml.RequestIDHeader))
	h.Set("Server", "Outcrop")
}

func (c *call) serve() (err error) {
	if c.caller, err = outcrop.CallerOf(c.ctx); err != nil {
		return errAccessDenied
	}
	c.bucket, c.key = c.target()
	if c.bucket != "" && !validBucket(c.bucket) && !isCreate(c) {
		return errNoSuchBucket(c.bucket)
	}
	if !utf8.ValidString(c.key) {
		return errInvalidURI // no listing could show the key
	}
	if len(c.key) > keyMax {
		return errKeyTooLong(len(c.key))
	}
	c.hoist()
	if owner := c.r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != c.caller.Account {
		return errAccessDenied
	}
	op, err := c.route()
	if err != nil {
		return err
	}
	if op.action != perKey {
		if err := c.authorize(op.action, c.bucket, c.key); err != nil {
			return err
		}
	}
	return op.answer(c)
}

// authorize asks whether the caller may perform an action on an object, a bucket if key is
// empty, or, if bucket is too, on S3 as a whole.
func (c *call) authorize(action, bucket, key string) error {
	resource := outcrop.Anything
	if bucket != "" {
		resource = outcrop.ARN("arn:aws:s3:::" + bucket)
	}
	if key != "" {
		resource += outcrop.ARN("/" + key)
	}
	return outcrop.Authorize(c.ctx, "s3:"+action, resource)
}

func isCreate(c *call) bool { return c.r.Method == http.MethodPut && c.key == "" }

// hoist turns x-amz- parameters of a presigned URL into the headers they stand for.
func (c *call) hoist() {
	for name, values := range c.query {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") || signingParameters[lower] || len(c.r.Header.Values(name)) > 0 {
			continue
		}
		c.r.Header[http.CanonicalHeaderKey(name)] = values
	}
}

var signingParameters = map[string]bool{
	"x-amz-algorithm": true, "x-amz-credential": true, "x-amz-date": true, "x-amz-expires": true,
	"x-amz-signedheaders": true, "x-amz-signature": true, "x-amz-security-token": true, "x-amz-content-sha256": true,
}

func (c *call) header(name string) string { return c.r.Header.Get(name) }

// xml answers 200 with a document.
func (c *call) xml(v any) error { return restxml.Write(c.w, http.StatusOK, v) }

// empty answers without a body.
func (c *call) empty(status int) error {
	if status != http.StatusNoContent {
		c.w.Header().Set("Content-Length", "0")
	}
	c.w.WriteHeader(status)
	return nil
}
