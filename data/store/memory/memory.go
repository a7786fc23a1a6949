// Package memory is an outcrop.Store in memory, for tests. It keeps the whole contract
// except durability, and passes the same conformance suite as the SQLite store.
package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/internal/rule"
)

// Store is an outcrop.Store in memory. It is safe for concurrent use.
type Store struct {
	now func() time.Time
	mu  sync.Mutex // holds records
	records
}

// records are what there is, for whoever holds the store's mutex.
type records struct {
	live    map[outcrop.ARN]outcrop.Record
	deleted []outcrop.Record
}

// New returns an empty store whose clock is now.
func New(now func() time.Time) *Store {
	return &Store{now: now, records: records{live: map[outcrop.ARN]outcrop.Record{}}}
}

// Get implements outcrop.Store.
func (s *Store) Get(ctx context.Context, key outcrop.Key) (outcrop.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.Get(ctx, key)
}

// ByToken implements outcrop.Store.
func (s *Store) ByToken(ctx context.Context, kind outcrop.Kind, scope outcrop.Scope, token string) (outcrop.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.ByToken(ctx, kind, scope, token)
}

// List implements outcrop.Store.
func (s *Store) List(ctx context.Context, q outcrop.Query) ([]outcrop.Record, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.List(ctx, q)
}

// Get implements outcrop.Reader.
func (s records) Get(_ context.Context, key outcrop.Key) (outcrop.Record, error) {
	if key.ARN != "" {
		if r, ok := s.live[key.ARN]; ok {
			return clone(r), nil
		}
		return outcrop.Record{}, rule.NotFound(key)
	}
	byName, found := outcrop.Record{}, false
	for _, r := range s.live {
		if r.Kind != key.Kind || r.Scope != key.Scope {
			continue
		}
		if r.ID == key.Ref {
			return clone(r), nil
		}
		if r.Name == key.Ref && r.Name != "" {
			byName, found = r, true
		}
	}
	if !found {
		return outcrop.Record{}, rule.NotFound(key)
	}
	return clone(byName), nil
}

// ByToken implements outcrop.Reader.
func (s records) ByToken(_ context.Context, kind outcrop.Kind, scope outcrop.Scope, token string) (outcrop.Record, error) {
	for _, r := range s.live {
		if token != "" && r.Kind == kind && r.Scope == scope && r.Token == token {
			return clone(r), nil
		}
	}
	return outcrop.Record{}, rule.TokenNotFound(kind, token)
}

// List implements outcrop.Reader.
func (s records) List(_ context.Context, q outcrop.Query) ([]outcrop.Record, string, error) {
	return page(q, slices.Collect(maps.Values(s.live)))
}

// Deleted lists records that have been deleted; Updated says when.
func (s *Store) Deleted(_ context.Context, q outcrop.Query) ([]outcrop.Record, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return page(q, slices.Clone(s.deleted))
}

// Counts returns how many live records of each kind stand in each status.
func (s *Store) Counts(context.Context) (map[outcrop.Kind]map[outcrop.Status]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[outcrop.Kind]map[outcrop.Status]int{}
	for _, r := range s.live {
		if counts[r.Kind] == nil {
			counts[r.Kind] = map[outcrop.Status]int{}
		}
		counts[r.Kind][r.Status]++
	}
	return counts, nil
}

func page(q outcrop.Query, all []outcrop.Record) ([]outcrop.Record, string, error) {
	limit, err := rule.Limit(q)
	if err != nil {
		return nil, "", err
	}
	var after *outcrop.Record
	if q.Next != "" {
		c, err := rule.DecodeNext(q)
		if err != nil {
			return nil, "", err
		}
		after = &outcrop.Record{Meta: outcrop.Meta{ARN: c.ARN, Created: rule.Time(c.Created)}}
	}
	order := compare
	if !q.Ascending {
		order = func(a, b outcrop.Record) int { return compare(b, a) }
	}
	all = slices.DeleteFunc(all, func(r outcrop.Record) bool {
		return !selects(q, r) || after != nil && order(r, *after) <= 0
	})
	slices.SortFunc(all, order)
	if len(all) <= limit {
		return cloneAll(all), "", nil
	}
	last := all[limit-1]
	next := rule.EncodeNext(q, rule.Cursor{Created: rule.Nanos(last.Created), ARN: last.ARN})
	return cloneAll(all[:limit]), next, nil
}

func compare(a, b outcrop.Record) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ARN, b.ARN))
}

func selects(q outcrop.Query, r outcrop.Record) bool {
	return r.Kind == q.Kind &&
		(q.AllScopes || r.Scope == q.Scope) &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, r.Status)) &&
		(q.Parent == "" || r.Parent == q.Parent) &&
		strings.Contains(strings.ToLower(r.Name), strings.ToLower(q.NameContains)) &&
		(q.CreatedAfter.IsZero() || r.Created.After(q.CreatedAfter)) &&
		(q.CreatedBefore.IsZero() || r.Created.Before(q.CreatedBefore))
}

func clone(r outcrop.Record) outcrop.Record {
	r.Tags = maps.Clone(r.Tags)
	r.Body = slices.Clone(r.Body)
	return r
}

func cloneAll(rs []outcrop.Record) []outcrop.Record {
	out := make([]outcrop.Record, len(rs))
	for i, r := range rs {
		out[i] = clone(r)
	}
	return out
}
