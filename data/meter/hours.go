package meter

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/rows"
)

// History is a store that also remembers what has been deleted, as package store does.
type History interface {
	List(ctx context.Context, q outcrop.Query) ([]outcrop.Record, string, error)
	// Deleted lists records that have been deleted; Updated says when.
	Deleted(ctx context.Context, q outcrop.Query) ([]outcrop.Record, string, error)
}

// Hours is how long a provisioned throughput existed.
type Hours struct {
	Resource outcrop.ARN
	Name     string
	Model    outcrop.ARN
	Units    int
	From, To time.Time
}

// UnitHours is what an hourly price is multiplied by.
func (h Hours) UnitHours() float64 { return h.To.Sub(h.From).Hours() * float64(h.Units) }

// ThroughputHours returns how long each throughput of a scope existed between from and to:
// from its creation, whether it was invoked or not, until its deletion or now. Throughput
// that failed was never in anybody's way and counts for nothing. h is the only record:
// a server that was not running when time passed has nothing to catch up on.
func ThroughputHours(ctx context.Context, h History, scope outcrop.Scope, from, to, now time.Time) ([]Hours, error) {
	to = earlier(to, now)
	throughput := outcrop.Query{Kind: outcrop.KindThroughput, Scope: scope, Ascending: true}
	var all []Hours
	for rec, err := range rows.All(ctx, h.Deleted, throughput) {
		if err == nil {
			all, err = appendHours(all, rec, from, earlier(to, rec.Updated))
		}
		if err != nil {
			return nil, err
		}
	}
	for rec, err := range rows.All(ctx, h.List, throughput) {
		if err == nil {
			all, err = appendHours(all, rec, from, to)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// appendHours adds what lies between from and to of a throughput's existence.
func appendHours(all []Hours, rec outcrop.Record, from, to time.Time) ([]Hours, error) {
	t, err := outcrop.ThroughputOf(rec)
	if outcrop.ReasonOf(err) == outcrop.ReasonUnreadable { // as lists leave it out
		return all, nil
	}
	if err != nil {
		return all, err
	}
	begin := t.Created
	if begin.Before(from) {
		begin = from
	}
	if t.Status != outcrop.ThroughputFailed && begin.Before(to) {
		all = append(all, Hours{Resource: t.ARN, Name: t.Name, Model: t.ModelARN, Units: t.ModelUnits, From: begin, To: to})
	}
	return all, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
