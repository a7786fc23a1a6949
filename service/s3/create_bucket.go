package s3

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/wire/restxml"
)

type createBucketConfiguration struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string
	Tags               []xmlTag `xml:"Tags>Tag"`
}

// createBucket makes a bucket. Its region is whichever the caller names: there is one place.
// In us-east-1, S3 lets the owner create a bucket again, and so do we.
func (c *call) createBucket() error {
	if !validBucket(c.bucket) {
		return errInvalidBucketName(c.bucket)
	}
	if err := c.checkUnsupported(); err != nil {
		return err
	}
	switch o := c.header("X-Amz-Object-Ownership"); o {
	case "", "BucketOwnerEnforced":
	case "BucketOwnerPreferred", "ObjectWriter":
		return errNotImplemented("There are no ACLs: the only object ownership is BucketOwnerEnforced.")
	default:
		return errInvalidArgument("x-amz-object-ownership", o, "Invalid x-amz-object-ownership header: "+o)
	}
	if c.header("X-Amz-Bucket-Object-Lock-Enabled") == "true" {
		return errNotImplemented("Object Lock is not implemented.")
	}
	tags, err := c.createTags()
	if err != nil {
		return err
	}
	err = c.store.CreateBucket(c.ctx, c.bucket, tags)
	if errors.Is(err, blob.ErrBucketExists) && c.caller.Region != "us-east-1" {
		return apiError("BucketAlreadyOwnedByYou", http.StatusConflict,
			"Your previous request to create the named bucket succeeded and you already own it.", [2]string{"BucketName", c.bucket})
	}
	if err != nil && !errors.Is(err, blob.ErrBucketExists) {
		return err
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	c.w.Header().Set("X-Amz-Bucket-Arn", "arn:aws:s3:::"+c.bucket)
	return c.empty(http.StatusOK)
}

// createTags reads the body, which may be empty.
func (c *call) createTags() ([]blob.Tag, error) {
	if c.r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(c.r.Body, documentMax+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > documentMax:
		return nil, errTooLong
	case len(b) == 0:
		return nil, nil
	}
	var in createBucketConfiguration
	if err := restxml.Unmarshal(b, &in); err != nil {
		return nil, errMalformedXML
	}
	return fromXMLTags(in.Tags, bucketTagsMax)
}
