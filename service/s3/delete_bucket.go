package s3

import "net/http"

func (c *call) deleteBucket() error {
	if err := c.store.DeleteBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
