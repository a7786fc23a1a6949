package cli

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// upload is a file and the object that it becomes. Its key is its bytes', so that it never takes
// the place of another's.
type upload struct {
	file, bucket, key string
	sum               []byte // SHA-256
}

// newUpload reads a file to know where it goes. name is the last part of its key.
func newUpload(file, bucket, name string) (u upload, err error) {
	f, err := os.Open(file)
	if err != nil {
		return u, err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return u, err
	}
	sum := hash.Sum(nil)
	return upload{file, bucket, "data/" + hex.EncodeToString(sum) + "/" + name, sum}, nil
}

func (u upload) uri() string { return "s3://" + u.bucket + "/" + u.key }

// upload stores a file, in a bucket that is made if it is missing, and says whether the object is
// new. One PUT is enough: Bedrock's limit of a training file is 1 GB, S3's of a PUT 5 GB. A file that
// has changed meanwhile is refused.
func (c *client) upload(ctx context.Context, u upload) (isNew bool, err error) {
	f, err := os.Open(u.file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := c.makeBucket(ctx, u.bucket); err != nil {
		return false, err
	}
	_, err = c.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(u.bucket), Key: aws.String(u.key), Body: f, ContentType: aws.String("application/jsonl"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(u.sum)), IfNoneMatch: aws.String("*"),
	})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "PreconditionFailed" {
		return false, nil // the same bytes are there
	}
	if err != nil {
		return false, fmt.Errorf("upload %s to %s: %w", u.file, u.uri(), err)
	}
	return true, nil
}

// removeUploads deletes what was uploaded for nothing.
func (a *app) removeUploads(ctx context.Context, c *client, uploads []upload) {
	for _, u := range uploads {
		if _, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(u.bucket), Key: aws.String(u.key)}); err != nil {
			a.note("%s is of no use, and could not be deleted: %v", u.uri(), err)
		}
	}
}

// makeBucket creates a bucket. One that is there already and ours is as good.
func (c *client) makeBucket(ctx context.Context, bucket string) error {
	_, err := c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	var owned *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &owned) {
		return fmt.Errorf("make the bucket %s: %w", bucket, err)
	}
	return nil
}
