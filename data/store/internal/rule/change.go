package rule

import (
	"encoding/json"
	"time"

	"outcrop.dev/outcrop"
)

// Limits of one Apply and one List.
const (
	// ChangesMax bounds a batch: the largest that a room writes is two (a job and its
	// model), and an unbounded one would hold the single writer.
	ChangesMax = 100
	// BodyBytesMax bounds a record: a job with 200 tags and every field at its limit has
	// less than 200 KiB.
	BodyBytesMax = 1 << 20
	// StatusesMax bounds a query's statuses; no noun has more than ten.
	StatusesMax = 32
)

// CheckChanges returns an error for a batch that no store should try. Such a batch is our
// own bug, so the error is not an *outcrop.Error, except for the sizes, which grow with
// what a user sends.
func CheckChanges(changes []outcrop.Change) error {
	if len(changes) > ChangesMax {
		return outcrop.Errorf(outcrop.CodeValidation, "%d changes at once are too many: the limit is %d.", len(changes), ChangesMax)
	}
	for _, c := range changes {
		if err := checkChange(c); err != nil {
			return err
		}
	}
	return nil
}

func checkChange(c outcrop.Change) error {
	r := c.Record
	switch {
	case c.Op != outcrop.OpCreate && c.Op != outcrop.OpUpdate && c.Op != outcrop.OpDelete:
		return bug(r, "has an operation that does not exist")
	case r.ARN == "":
		return bug(r, "has no ARN")
	case c.Op == outcrop.OpDelete:
		return nil
	case r.Kind == "" || r.ID == "" || r.Account == "" || r.Region == "":
		return bug(r, "lacks its kind, id, account or region")
	case len(r.Body) > BodyBytesMax:
		return outcrop.Errorf(outcrop.CodeValidation, "%s has %d bytes: the limit is %d.", r.ARN, len(r.Body), BodyBytesMax)
	case !json.Valid(r.Body):
		return bug(r, "has a body that is not JSON")
	}
	return nil
}

// Limit returns the page size that q asks for. CodeValidation outside 0 to MaxPage.
func Limit(q outcrop.Query) (int, error) {
	if q.Limit < 0 || q.Limit > outcrop.MaxPage {
		return 0, outcrop.Errorf(outcrop.CodeValidation, "maxResults %d is not valid: it must be from 1 to %d.", q.Limit, outcrop.MaxPage)
	}
	if len(q.Statuses) > StatusesMax {
		return 0, outcrop.Errorf(outcrop.CodeValidation, "%d statuses are too many: the limit is %d.", len(q.Statuses), StatusesMax)
	}
	if q.Limit == 0 {
		return outcrop.DefaultPage, nil
	}
	return q.Limit, nil
}

// Nanos is a time as stores keep it: nanoseconds since 1970, and 0 for the zero time.
func Nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Time is the inverse of Nanos; times come back in UTC.
func Time(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
