package s3

import (
	"encoding/base64"

	"outcrop.dev/outcrop/data/blob"
)

func (c *call) listObjectsV2() error {
	if v := c.query.Get("list-type"); v != "2" {
		return errInvalidArgument("list-type", v, "Invalid list-type: there is 2.")
	}
	l, err := c.listing()
	if err != nil {
		return err
	}
	start, token := c.query.Get("start-after"), c.query.Get("continuation-token")
	l.query.After, l.query.AfterPrefix = start, rolledUp(start, l.query)
	if c.query.Has("continuation-token") {
		if err := resume(&l.query, token); err != nil {
			return err
		}
	}
	page, err := c.store.ListObjects(c.ctx, c.bucket, l.query)
	if err != nil {
		return err
	}
	out := c.result(l, page, c.query.Get("fetch-owner") == "true")
	out.StartAfter, out.Continuation = l.encode(start), token
	if page.Truncated {
		out.Next = nextToken(page)
	}
	count := len(page.Objects) + len(page.Prefixes)
	out.KeyCount = &count
	return c.xml(out)
}

// A continuation token is the last item of a page, in base64: "k" and a key, or "p" and a
// common prefix.
func nextToken(page blob.ObjectPage) string {
	kind := "k"
	if page.LastIsPrefix {
		kind = "p"
	}
	return base64.RawURLEncoding.EncodeToString([]byte(kind + page.Last))
}

// resume makes a query begin behind a token.
func resume(q *blob.ObjectQuery, token string) error {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 2 || b[0] != 'k' && b[0] != 'p' {
		return errContinuation(token)
	}
	q.After, q.AfterPrefix = string(b[1:]), ""
	if b[0] == 'p' {
		q.AfterPrefix = q.After
	}
	return nil
}
