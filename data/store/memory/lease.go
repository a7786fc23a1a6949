package memory

import (
	"context"
	"slices"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/internal/rule"
)

// Claim implements outcrop.Store.
func (s *Store) Claim(_ context.Context, kind outcrop.Kind, statuses []outcrop.Status, owner string, ttl time.Duration) (outcrop.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := rule.Time(rule.Nanos(s.now()))
	best, ok := outcrop.Record{}, false
	for _, r := range s.live {
		free := r.Kind == kind && slices.Contains(statuses, r.Status) && !r.Lease.Until.After(now)
		if free && (!ok || compare(r, best) < 0) {
			best, ok = r, true
		}
	}
	if !ok {
		return outcrop.Record{}, false, nil
	}
	best.Lease = outcrop.Lease{Owner: owner, Until: now.Add(ttl), Fence: best.Lease.Fence + 1}
	s.live[best.ARN] = best
	return clone(best), true, nil
}

// Renew implements outcrop.Store.
func (s *Store) Renew(_ context.Context, arn outcrop.ARN, fence int64, ttl time.Duration) error {
	return s.lease(arn, fence, func(l *outcrop.Lease) { l.Until = rule.Time(rule.Nanos(s.now().Add(ttl))) })
}

// Release implements outcrop.Store.
func (s *Store) Release(_ context.Context, arn outcrop.ARN, fence int64) error {
	return s.lease(arn, fence, func(l *outcrop.Lease) { l.Owner, l.Until = "", time.Time{} })
}

func (s *Store) lease(arn outcrop.ARN, fence int64, f func(*outcrop.Lease)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.live[arn]
	if !ok || r.Lease.Fence != fence || r.Lease.Owner == "" {
		return rule.Stale(arn)
	}
	f(&r.Lease)
	s.live[arn] = r
	return nil
}
