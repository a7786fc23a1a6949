package s3

import "net/http"

func (c *call) headBucket() error {
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	c.w.Header().Set("X-Amz-Bucket-Region", c.caller.Region)
	c.w.Header().Set("X-Amz-Access-Point-Alias", "false")
	return c.empty(http.StatusOK)
}
