package resource

import (
	"context"
	"log/slog"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/rows"
)

// Listing is what the List operations of all nouns ask. Zero fields select everything.
type Listing struct {
	Status        outcrop.Status
	NameContains  string
	Parent        string // ARN
	After, Before time.Time
	Order         string // "Ascending"; else the newest come first, as AWS lists them
	Max           *int
	Next          string
}

// List returns one page of the caller's nouns, and the token of the next. The time of creation is
// the only key there is to sort by. What cannot be read is left out, and goes to log.
func (k Noun[N]) List(ctx context.Context, log *slog.Logger, r outcrop.Reader, l Listing) (page []N, next string, err error) {
	sc, err := Scope(ctx)
	if err != nil {
		return nil, "", err
	}
	q := outcrop.Query{
		Kind: k.Kind, Scope: sc, NameContains: l.NameContains, Parent: l.Parent, CreatedAfter: l.After, CreatedBefore: l.Before,
		Ascending: l.Order == "Ascending", Next: l.Next,
	}
	if l.Status != "" {
		q.Statuses = []outcrop.Status{l.Status}
	}
	if l.Max != nil {
		q.Limit = *l.Max
	}
	records, next, err := r.List(ctx, q)
	if err != nil {
		return nil, "", err
	}
	for _, rec := range records {
		noun, err := k.Of(rec)
		switch {
		case outcrop.ReasonOf(err) == outcrop.ReasonUnreadable:
			log.ErrorContext(ctx, "a list leaves out what cannot be read", "error", err)
		case err != nil:
			return nil, "", err
		default:
			page = append(page, noun)
		}
	}
	return page, next, nil
}

// All returns every noun in a scope and in one of the statuses, if any are named. It is for what a
// quota bounds.
func (k Noun[N]) All(ctx context.Context, r outcrop.Reader, sc outcrop.Scope, statuses ...outcrop.Status) (all []N, err error) {
	for rec, err := range rows.All(ctx, r.List, outcrop.Query{Kind: k.Kind, Scope: sc, Statuses: statuses}) {
		if err != nil {
			return nil, err
		}
		noun, err := k.Of(rec)
		if outcrop.ReasonOf(err) == outcrop.ReasonUnreadable {
			continue // one record that is damaged keeps nobody from making another
		}
		if err != nil {
			return nil, err
		}
		all = append(all, noun)
	}
	return all, nil
}

// Each returns what show makes of every element; never nil, for an empty list is sent as one.
func Each[N, S any](page []N, show func(N) S) []S {
	shown := make([]S, len(page))
	for i, n := range page {
		shown[i] = show(n)
	}
	return shown
}
