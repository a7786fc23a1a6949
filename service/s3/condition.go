package s3

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"outcrop.dev/outcrop/data/blob"
)

// readConditions are If-Match and its relatives, of a read or of a copy's source.
type readConditions struct {
	match, noneMatch           string
	modifiedSince, unmodSince  time.Time
	hasModified, hasUnmodified bool
}

// readConditions reads the headers with the prefix "" or "X-Amz-Copy-Source-". A date that
// does not parse is no condition (RFC 9110, 13.1.3).
func (c *call) readConditions(prefix string) (r readConditions) {
	r.match, r.noneMatch = c.header(prefix+"If-Match"), c.header(prefix+"If-None-Match")
	r.modifiedSince, r.hasModified = parseDate(c.header(prefix + "If-Modified-Since"))
	r.unmodSince, r.hasUnmodified = parseDate(c.header(prefix + "If-Unmodified-Since"))
	return r
}

func parseDate(s string) (time.Time, bool) {
	if t, err := http.ParseTime(s); err == nil {
		return t, true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// check returns errPrecondition or errNotModified, in the order of RFC 9110, 13.2.2: a tag
// that decides makes the date next to it count for nothing.
func (r readConditions) check(o blob.Object) error {
	modified := o.Modified.Truncate(time.Second)
	switch {
	case r.match != "":
		if !matches(r.match, o.ETag) {
			return errPrecondition
		}
	case r.hasUnmodified && modified.After(r.unmodSince):
		return errPrecondition
	}
	switch {
	case r.noneMatch != "":
		if matches(r.noneMatch, o.ETag) {
			return errNotModified
		}
	case r.hasModified && !modified.After(r.modifiedSince):
		return errNotModified
	}
	return nil
}

// rangeApplies reports whether an If-Range header lets a Range count: it must name this very object, by
// its tag or by the date it has in Last-Modified. A weak tag names none (RFC 9110, 13.1.5).
func rangeApplies(header string, o blob.Object) bool {
	if header == "" || header == quote(o.ETag) {
		return true
	}
	t, err := http.ParseTime(header)
	return err == nil && t.Equal(o.Modified.Truncate(time.Second))
}

func matches(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || unquote(strings.TrimPrefix(tag, "W/")) == etag {
			return true
		}
	}
	return false
}

// writeCondition reads If-Match and If-None-Match of a write. S3 knows only "*" for the
// latter.
func (c *call) writeCondition() (blob.Condition, error) {
	match, none := c.header("If-Match"), c.header("If-None-Match")
	if none != "" && unquote(none) != "*" || match != "" && none != "" {
		return blob.Condition{}, errNotImplemented("A header you provided implies functionality that is not implemented.")
	}
	return blob.Condition{Absent: none != "", ETag: unquote(match)}, nil
}

// deleteCondition reads what only DeleteObject knows besides If-Match: the size and the time
// that the object must have.
func (c *call) deleteCondition() (blob.Condition, error) {
	size, modified := c.header("X-Amz-If-Match-Size"), c.header("X-Amz-If-Match-Last-Modified-Time")
	condition := blob.Condition{ETag: unquote(c.header("If-Match"))}
	if size == "" && modified == "" {
		return condition, nil
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if size != "" && err != nil {
		return condition, errInvalidArgument("x-amz-if-match-size", size, "The size is not a number")
	}
	t, ok := parseDate(modified)
	if modified != "" && !ok {
		return condition, errInvalidArgument("x-amz-if-match-last-modified-time", modified, "The time is not a date")
	}
	condition.Check = func(o blob.Object) bool {
		return (size == "" || n == o.Size) && (modified == "" || t.Truncate(time.Second).Equal(o.Modified.Truncate(time.Second)))
	}
	return condition, nil
}
