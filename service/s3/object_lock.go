package s3

// No bucket has Object Lock, so nothing can be held or retained.

func (c *call) checkObjectLock() error {
	return errInvalidRequest("Bucket is missing ObjectLockConfiguration")
}

func (c *call) objectLockMissing() error {
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	return c.checkObjectLock()
}
