package outcrop

import (
	"context"
	"io"
	"strings"
	"time"
)

// ObjectInfo describes a stored object.
type ObjectInfo struct {
	Bucket, Key  string
	Size         int64
	ETag         string // quoted, as S3 shows it
	ContentType  string
	LastModified time.Time
}

// Objects reads and writes S3 objects, in the embedded S3 or an external one. It is what
// jobs need of S3; service/s3 declares the rest for itself.
//
// A missing bucket or key is CodeNotFound.
type Objects interface {
	// HeadBucket returns nil if the bucket exists.
	HeadBucket(ctx context.Context, bucket string) error
	Head(ctx context.Context, bucket, key string) (ObjectInfo, error)
	// Get opens an object; the caller closes it.
	Get(ctx context.Context, bucket, key string) (io.ReadCloser, ObjectInfo, error)
	// Put stores an object whole; when it returns nil the object is on disk.
	Put(ctx context.Context, bucket, key, contentType string, r io.Reader) (ObjectInfo, error)
	// Copy makes an object of the bytes that another has now. Where it can, it shares them.
	Copy(ctx context.Context, fromBucket, fromKey, bucket, key string) (ObjectInfo, error)
	// Delete removes an object. A missing key is no error, as in S3.
	Delete(ctx context.Context, bucket, key string) error
	// List returns up to limit keys with the prefix, after the key startAfter, in order.
	List(ctx context.Context, bucket, prefix, startAfter string, limit int) ([]ObjectInfo, error)
}

// ParseS3URI splits s3://bucket/key. CodeValidation if uri is not of that form.
func ParseS3URI(uri string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	bucket, key, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", Errorf(CodeValidation, "%q is not an S3 URI: write s3://BUCKET/KEY", uri)
	}
	return bucket, key, nil
}

// JoinS3URI appends path to a prefix with exactly one slash between them: callers pass
// outputDataConfig.s3Uri with and without the last one.
func JoinS3URI(prefix, path string) string {
	return strings.TrimRight(prefix, "/") + "/" + strings.TrimLeft(path, "/")
}
