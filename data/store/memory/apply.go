package memory

import (
	"context"
	"maps"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/internal/rule"
)

// Apply implements outcrop.Store.
func (s *Store) Apply(ctx context.Context, changes ...outcrop.Change) error {
	if err := rule.CheckChanges(changes); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	liveBefore, deletedBefore := maps.Clone(s.live), len(s.deleted)
	for _, c := range changes {
		if err := s.apply(ctx, c); err != nil {
			s.live, s.deleted = liveBefore, s.deleted[:deletedBefore]
			return err
		}
	}
	return nil
}

func (s *Store) apply(ctx context.Context, c outcrop.Change) error {
	if c.If != nil {
		if err := c.If(ctx, s.records); err != nil {
			return err
		}
	}
	now := rule.Time(rule.Nanos(s.now()))
	if c.Op == outcrop.OpCreate {
		return s.create(clone(c.Record), now)
	}
	old, ok := s.live[c.Record.ARN]
	if !ok {
		return rule.NotFound(outcrop.Key{ARN: c.Record.ARN})
	}
	if old.Version != c.Record.Version || c.Record.Lease.Fence != 0 && old.Lease.Fence != c.Record.Lease.Fence {
		return rule.Stale(c.Record.ARN)
	}
	if c.Op == outcrop.OpDelete {
		delete(s.live, old.ARN)
		old.Updated = now
		s.deleted = append(s.deleted, old)
		return nil
	}
	return s.update(old, clone(c.Record), now)
}

func (s *Store) create(r outcrop.Record, now time.Time) error {
	for _, o := range s.live {
		switch {
		case o.ARN == r.ARN:
			return rule.Exists(r.Meta)
		case o.Kind != r.Kind || o.Scope != r.Scope:
		case r.Name != "" && o.Name == r.Name:
			return rule.NameTaken(r.Meta)
		case r.Token != "" && o.Token == r.Token:
			return rule.TokenTaken(r.Meta)
		}
	}
	for _, o := range s.deleted {
		if o.ARN == r.ARN {
			return rule.Exists(r.Meta)
		}
	}
	r.Created = rule.Time(rule.Nanos(r.Created))
	if r.Created.IsZero() {
		r.Created = now
	}
	r.Updated, r.Version, r.Lease = now, 1, outcrop.Lease{}
	s.live[r.ARN] = tidy(r)
	return nil
}

func (s *Store) update(old, r outcrop.Record, now time.Time) error {
	for _, o := range s.live {
		if r.Name != "" && o.ARN != old.ARN && o.Kind == old.Kind && o.Scope == old.Scope && o.Name == r.Name {
			return rule.NameTaken(r.Meta)
		}
	}
	old.Name, old.Status, old.Parent, old.Tags, old.Body = r.Name, r.Status, r.Parent, r.Tags, r.Body
	old.Updated, old.Version = now, old.Version+1
	s.live[old.ARN] = tidy(old)
	return nil
}

// tidy makes a record look as if it had been read back from a database.
func tidy(r outcrop.Record) outcrop.Record {
	if len(r.Tags) == 0 {
		r.Tags = nil
	}
	return r
}
