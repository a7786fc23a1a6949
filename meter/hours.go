package meter

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
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
	var all []Hours
	if now.Before(to) {
		to = now
	}
	add := func(rec outcrop.Record, end time.Time) error {
		t, err := outcrop.ThroughputOf(rec)
		if err != nil {
			return err
		}
		begin := t.Created
		if begin.Before(from) {
			begin = from
		}
		if to.Before(end) {
			end = to
		}
		if t.Status != outcrop.ThroughputFailed && begin.Before(end) {
			all = append(all, Hours{Resource: t.ARN, Name: t.Name, Model: t.ModelARN, Units: t.ModelUnits, From: begin, To: end})
		}
		return nil
	}
	err := each(ctx, h.Deleted, scope, func(rec outcrop.Record) error { return add(rec, rec.Updated) })
	if err == nil {
		err = each(ctx, h.List, scope, func(rec outcrop.Record) error { return add(rec, now) })
	}
	return all, err
}

// each calls f for every throughput that list has.
func each(ctx context.Context, list func(context.Context, outcrop.Query) ([]outcrop.Record, string, error), scope outcrop.Scope, f func(outcrop.Record) error) error {
	q := outcrop.Query{Kind: outcrop.KindThroughput, Scope: scope, Ascending: true, Limit: outcrop.MaxPage}
	for {
		page, next, err := list(ctx, q)
		if err != nil {
			return err
		}
		for _, rec := range page {
			if err := f(rec); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		q.Next = next
	}
}
