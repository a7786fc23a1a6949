package s3

import (
	"net/http"

	"outcrop.dev/outcrop/data/blob"
)

// putObject stores an object. The request with x-amz-copy-source is CopyObject.
func (c *call) putObject() error {
	if c.header(copySourceHeader) != "" {
		return c.copyObject()
	}
	if err := c.checkLength(); err != nil {
		return err
	}
	want, err := c.expectation()
	if err != nil {
		return err
	}
	algorithm := want.algorithm
	if algorithm == "" {
		algorithm = blob.CRC64NVME // S3's default
	}
	in := c.input(want, algorithm)
	if in.Attributes, err = c.attributes(); err != nil {
		return err
	}
	if in.Condition, err = c.writeCondition(); err != nil {
		return err
	}
	o, err := c.store.Put(c.ctx, c.bucket, c.key, in)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", quote(o.ETag))
	c.w.Header().Set("X-Amz-Object-Size", itoa64(o.Size))
	setChecksum(c.w.Header(), o.Checksum)
	return c.empty(http.StatusOK)
}
