package s3

import "net/http"

func (c *call) abortMultipartUpload() error {
	if err := c.store.AbortUpload(c.ctx, c.bucket, c.key, c.query.Get("uploadId")); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
