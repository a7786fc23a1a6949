package s3

import (
	"net/http"
	"time"
)

func (c *call) abortMultipartUpload() error {
	if v := c.header("X-Amz-If-Match-Initiated-Time"); v != "" {
		if err := c.checkInitiated(v); err != nil {
			return err
		}
	}
	if err := c.store.AbortUpload(c.ctx, c.bucket, c.key, c.query.Get("uploadId")); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// checkInitiated compares the time at which an upload began; one in the future counts for
// nothing.
func (c *call) checkInitiated(header string) error {
	t, ok := parseDate(header)
	if !ok {
		return errInvalidArgument("x-amz-if-match-initiated-time", header, "The time is not a date")
	}
	u, err := c.store.FindUpload(c.ctx, c.bucket, c.key, c.query.Get("uploadId"))
	if err != nil {
		return err
	}
	if t.Before(u.Started.Truncate(time.Second)) {
		return errPrecondition
	}
	return nil
}
