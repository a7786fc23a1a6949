package bedrock

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
)

// listing is what the List operations have in common.
type listing struct {
	kind          outcrop.Kind
	status        string
	nameContains  string
	after, before time.Time
	order         string
	max           *int
	next          string
	parent        string
}

// list returns one page of the caller's records. AWS lists the newest first unless told
// otherwise; CreationTime is the only key there is to sort by.
func list[N any](ctx context.Context, s *Service, l listing, of func(outcrop.Record) (*N, error)) (page []*N, next string, err error) {
	sc, err := scope(ctx)
	if err != nil {
		return nil, "", err
	}
	q := outcrop.Query{
		Kind: l.kind, Scope: sc, NameContains: l.nameContains, CreatedAfter: l.after, CreatedBefore: l.before,
		Ascending: l.order == "Ascending", Next: l.next, Parent: l.parent,
	}
	if l.status != "" {
		q.Statuses = []outcrop.Status{outcrop.Status(l.status)}
	}
	if l.max != nil {
		q.Limit = *l.max
	}
	records, next, err := s.store.List(ctx, q)
	if err != nil {
		return nil, "", err
	}
	page, err = nouns(records, of)
	return page, next, err
}

// all returns every noun that a query selects; it must be one that a quota bounds.
func all[N any](ctx context.Context, s *Service, q outcrop.Query, of func(outcrop.Record) (*N, error)) ([]*N, error) {
	var records []outcrop.Record
	for rec, err := range outcrop.All(ctx, s.store.List, q) {
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return nouns(records, of)
}

// liveJobs returns the jobs that wait or run.
func (s *Service) liveJobs(ctx context.Context, sc outcrop.Scope) ([]*outcrop.Job, error) {
	q := outcrop.Query{Kind: outcrop.KindJob, Scope: sc, Statuses: []outcrop.Status{outcrop.JobInProgress, outcrop.JobStopping}}
	return all(ctx, s, q, outcrop.JobOf)
}

// nouns reads records as what they are, and fails if one cannot be read.
func nouns[N any](records []outcrop.Record, of func(outcrop.Record) (*N, error)) ([]*N, error) {
	read := make([]*N, len(records))
	for i, rec := range records {
		noun, err := of(rec)
		if err != nil {
			return nil, err
		}
		read[i] = noun
	}
	return read, nil
}

// each returns what an operation shows of the nouns of a page; never nil, for an empty list is
// sent as one.
func each[N, S any](page []*N, show func(*N) S) []S {
	shown := make([]S, len(page))
	for i, noun := range page {
		shown[i] = show(noun)
	}
	return shown
}
