package s3

import "net/http"

// deleteObject removes a key, whether it exists or not.
func (c *call) deleteObject() error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	condition, err := c.deleteCondition()
	if err != nil {
		return err
	}
	if err := c.store.Delete(c.ctx, c.bucket, c.key, condition); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
