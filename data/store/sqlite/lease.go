package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/internal/rule"
)

// Claim implements outcrop.Store. The outer condition on the lease repeats the inner one
// for databases that let two claims choose the same row: the second then updates nothing.
func (s *Store) Claim(ctx context.Context, kind outcrop.Kind, statuses []outcrop.Status, owner string, ttl time.Duration) (outcrop.Record, bool, error) {
	if len(statuses) == 0 {
		return outcrop.Record{}, false, nil
	}
	now := s.now()
	var free conditions
	free.add(`deleted = 0 AND kind = ?`, string(kind))
	free.oneOf(`status`, statuses)
	free.add(`lease_until <= ?`, rule.Nanos(now))
	args := append([]any{owner, rule.Nanos(now.Add(ttl))}, free.args...)
	var r outcrop.Record
	err := s.db.Update(ctx, func(tx *sql.Tx) (err error) {
		r, err = s.scan(tx.QueryRowContext(ctx,
			`UPDATE resources SET lease_owner = ?, lease_until = ?, fence = fence + 1
			WHERE arn = (SELECT arn FROM resources WHERE `+strings.Join(free.sql, ` AND `)+` ORDER BY created, arn LIMIT 1)
			AND lease_until <= ? RETURNING `+columns, append(args, rule.Nanos(now))...))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return outcrop.Record{}, false, nil
	}
	return r, err == nil, wrap("claim", err)
}

// Renew implements outcrop.Store.
func (s *Store) Renew(ctx context.Context, arn outcrop.ARN, fence int64, ttl time.Duration) error {
	return s.lease(ctx, arn, fence, `lease_until = ?`, rule.Nanos(s.now().Add(ttl)))
}

// Release implements outcrop.Store.
func (s *Store) Release(ctx context.Context, arn outcrop.ARN, fence int64) error {
	return s.lease(ctx, arn, fence, `lease_until = ?, lease_owner = ''`, 0)
}

// lease changes the lease that fence still holds.
func (s *Store) lease(ctx context.Context, arn outcrop.ARN, fence int64, set string, until int64) error {
	n, err := s.db.Exec(ctx,
		`UPDATE resources SET `+set+` WHERE arn = ? AND fence = ? AND lease_owner <> '' AND deleted = 0`, until, string(arn), fence)
	if err == nil && n == 0 {
		return rule.Stale(arn)
	}
	return wrap("lease", err)
}
