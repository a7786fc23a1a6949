package s3

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"outcrop.dev/outcrop/data/blob"
)

func (c *call) getObject() error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	if err := c.checkPartNumber(); err != nil {
		return err
	}
	o, body, err := c.store.Open(c.ctx, c.bucket, c.key)
	if err != nil {
		return err
	}
	defer body.Close()
	v, err := c.view(o)
	if err != nil {
		return err
	}
	body.Range(v.first, v.length)
	if err := body.Check(); err != nil {
		return err
	}
	c.writeView(v)
	if _, err := io.Copy(c.w, body); err != nil {
		var network *net.OpError
		if c.ctx.Err() == nil && !errors.As(err, &network) { // neither gone nor broken: it is ours
			c.opt.Log.Error("send an object", "bucket", c.bucket, "key", c.key, "error", err)
		}
		panic(http.ErrAbortHandler) // the status is sent: only a broken connection says that it failed
	}
	return nil
}

// view is the part of an object that a read asks for.
type view struct {
	object        blob.Object
	first, length int64
	partial       bool
}

func (v view) contentRange() string {
	return fmt.Sprintf("bytes %d-%d/%d", v.first, v.first+v.length-1, v.object.Size)
}

// view applies the conditions, the range and the part number of a read.
func (c *call) view(o blob.Object) (v view, err error) {
	v = view{object: o, length: o.Size}
	if err := c.readConditions("").check(o); err != nil {
		if err == errNotModified {
			c.w.Header().Set("ETag", quote(o.ETag))
			c.w.Header().Set("Last-Modified", o.Modified.Format(http.TimeFormat))
		}
		return v, err
	}
	byteRange := c.header("Range")
	if c.query.Has("partNumber") {
		if byteRange != "" {
			return v, errInvalidRequest("Cannot specify both Range header and partNumber query parameter")
		}
		return c.partView(v)
	}
	if byteRange != "" && rangeApplies(c.header("If-Range"), o) {
		return v.cut(byteRange)
	}
	return v, nil
}

// cut applies a Range header. What S3 does not understand (several ranges, other units) it
// ignores.
func (v view) cut(header string) (view, error) {
	first, last, ok := parseRange(header, v.object.Size)
	if !ok {
		return v, nil
	}
	if first >= v.object.Size {
		return v, apiError("InvalidRange", http.StatusRequestedRangeNotSatisfiable, "The requested range is not satisfiable",
			[2]string{"RangeRequested", header}, [2]string{"ActualObjectSize", itoa64(v.object.Size)})
	}
	v.first, v.length, v.partial = first, last-first+1, true
	return v, nil
}

// parseRange parses bytes=a-b, bytes=a- and bytes=-n. last is within the object; first may
// be behind its end, which is for the caller to refuse.
func parseRange(header string, size int64) (first, last int64, ok bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	a, b, dash := strings.Cut(spec, "-")
	if !ok || !dash || a == "" && b == "" {
		return 0, 0, false
	}
	if a == "" {
		n, err := strconv.ParseUint(b, 10, 63)
		if err != nil {
			return 0, 0, false
		}
		if n == 0 {
			return size, size, true
		}
		if size == 0 {
			return 0, 0, false
		}
		return max(size-int64(n), 0), size - 1, true
	}
	f, err := strconv.ParseUint(a, 10, 63)
	if err != nil {
		return 0, 0, false
	}
	if b == "" {
		return int64(f), size - 1, true
	}
	l, err := strconv.ParseUint(b, 10, 63)
	if err != nil || l < f {
		return 0, 0, false
	}
	return int64(f), min(int64(l), size-1), true
}

// partView applies ?partNumber=n: the n-th part as it was uploaded. A plain object is its
// own first part.
func (c *call) partView(v view) (view, error) {
	n, err := c.partNumber()
	if err != nil {
		return v, err
	}
	unsatisfiable := apiError("InvalidPartNumber", http.StatusRequestedRangeNotSatisfiable, "The requested partnumber is not satisfiable.",
		[2]string{"PartNumberRequested", itoa(n)}, [2]string{"ActualPartCount", itoa(max(v.object.Parts, 1))})
	if v.object.Parts == 0 {
		if n != 1 {
			return v, unsatisfiable
		}
		v.partial = v.object.Size > 0
		return v, nil
	}
	if n > v.object.Parts {
		return v, unsatisfiable
	}
	parts, err := c.store.ListObjectParts(c.ctx, v.object, 0, n)
	if err != nil {
		return v, err
	}
	for i, p := range parts {
		if i == n-1 {
			v.length, v.partial = p.Size, true
			return v, nil
		}
		v.first += p.Size
	}
	return v, unsatisfiable
}

func (c *call) partNumber() (int, error) {
	v := c.query.Get("partNumber")
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > partsMax {
		return 0, errInvalidArgument("partNumber", v, "Part number must be an integer between 1 and 10000, inclusive.")
	}
	return n, nil
}

// checkPartNumber refuses a bad one before the object is looked for.
func (c *call) checkPartNumber() error {
	if !c.query.Has("partNumber") {
		return nil
	}
	_, err := c.partNumber()
	return err
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }
