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
func (s *Service) list(ctx context.Context, l listing) (page []outcrop.Record, next string, err error) {
	sc, err := scope(ctx)
	if err != nil {
		return nil, "", err
	}
	q := outcrop.Query{
		Kind: l.kind, Scope: sc, NameContains: l.nameContains, CreatedAfter: l.after, CreatedBefore: l.before,
		Ascending: l.order == "Ascending", Next: l.next, Parent: l.parent,
	}
	if l.status != "" {
		q.Statuses = []string{l.status}
	}
	if l.max != nil {
		q.Limit = *l.max
	}
	return s.store.List(ctx, q)
}
