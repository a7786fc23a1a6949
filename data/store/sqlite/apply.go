package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/internal/rule"
)

// Apply implements outcrop.Store: one transaction, synced to disk before it returns. A deletion may
// use the room that is kept back on a full disk.
func (s *Store) Apply(ctx context.Context, changes ...outcrop.Change) error {
	if err := rule.CheckChanges(changes); err != nil {
		return err
	}
	if len(changes) == 0 {
		return nil
	}
	now := rule.Nanos(s.now())
	update := s.db.Update
	if slices.ContainsFunc(changes, func(c outcrop.Change) bool { return c.Op == outcrop.OpDelete }) {
		update = s.db.UpdateFreeing
	}
	err := update(ctx, func(tx *sql.Tx) error {
		for _, c := range changes {
			if err := s.apply(ctx, tx, c, now); err != nil {
				return err
			}
		}
		return nil
	})
	if isOutcrop(err) {
		return err
	}
	return wrap("apply", err)
}

func (s *Store) apply(ctx context.Context, tx *sql.Tx, c outcrop.Change, now int64) error {
	if c.If != nil {
		if err := c.If(ctx, reader{tx, s.log}); err != nil {
			return err
		}
	}
	switch c.Op {
	case outcrop.OpCreate:
		return create(ctx, tx, c.Record, now)
	case outcrop.OpUpdate:
		return s.update(ctx, tx, c.Record, now)
	default:
		return s.remove(ctx, tx, c.Record, now)
	}
}

func create(ctx context.Context, tx *sql.Tx, r outcrop.Record, now int64) error {
	created := rule.Nanos(r.Created)
	if created == 0 {
		created = now
	}
	res, err := tx.ExecContext(ctx,
		`INSERT INTO resources (arn, kind, account, region, id, name, status, parent, token, tags, body, created, updated, version)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`,
		string(r.ARN), string(r.Kind), r.Account, r.Region, r.ID, r.Name, string(r.Status), r.Parent, r.Token, tagText(r.Tags), string(r.Body), created, now)
	if err != nil {
		return fmt.Errorf("create %s: %w", r.ARN, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return collision(ctx, tx, r.Meta)
}

// collision says which unique column refused a new record.
func collision(ctx context.Context, tx *sql.Tx, m outcrop.Meta) error {
	if taken, err := nameTaken(ctx, tx, m); err != nil || taken {
		return errors.Join(err, when(taken, rule.NameTaken(m)))
	}
	var tokens int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM resources
		WHERE deleted = 0 AND kind = ? AND account = ? AND region = ? AND token = ? AND token <> ''`,
		string(m.Kind), m.Account, m.Region, m.Token).Scan(&tokens)
	if err != nil {
		return err
	}
	if tokens > 0 {
		return rule.TokenTaken(m)
	}
	return rule.Exists(m)
}

func when(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}

func nameTaken(ctx context.Context, tx *sql.Tx, m outcrop.Meta) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM resources
		WHERE deleted = 0 AND kind = ? AND account = ? AND region = ? AND name = ? AND name <> '' AND arn <> ?`,
		string(m.Kind), m.Account, m.Region, m.Name, string(m.ARN)).Scan(&n)
	return n > 0, err
}

func (s *Store) update(ctx context.Context, tx *sql.Tx, r outcrop.Record, now int64) error {
	stored, err := s.check(ctx, tx, r)
	if err != nil {
		return err
	}
	stored.Name = r.Name
	if taken, err := nameTaken(ctx, tx, stored); err != nil || taken {
		return errors.Join(err, when(taken, rule.NameTaken(stored)))
	}
	_, err = tx.ExecContext(ctx,
		`UPDATE resources SET name = ?, status = ?, parent = ?, tags = ?, body = ?, updated = ?, version = version + 1 WHERE arn = ?`,
		r.Name, string(r.Status), r.Parent, tagText(r.Tags), string(r.Body), now, string(r.ARN))
	return err
}

func (s *Store) remove(ctx context.Context, tx *sql.Tx, r outcrop.Record, now int64) error {
	if _, err := s.check(ctx, tx, r); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE resources SET deleted = ?, updated = ? WHERE arn = ?`, max(now, 1), now, string(r.ARN))
	return err
}

// check returns the stored form of a record that is about to change, if the change was
// based on it. The writing transaction holds the database's lock, so nothing moves between
// the check and the change.
func (s *Store) check(ctx context.Context, tx *sql.Tx, r outcrop.Record) (outcrop.Meta, error) {
	stored, err := s.scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM resources WHERE arn = ? AND deleted = 0`, string(r.ARN)))
	if errors.Is(err, sql.ErrNoRows) {
		return outcrop.Meta{}, rule.NotFound(outcrop.Key{ARN: r.ARN})
	}
	if err != nil {
		return outcrop.Meta{}, err
	}
	if stored.Version != r.Version || r.Lease.Fence != 0 && stored.Lease.Fence != r.Lease.Fence {
		return outcrop.Meta{}, rule.Stale(r.ARN)
	}
	return stored.Meta, nil
}

func isOutcrop(err error) bool {
	var e *outcrop.Error
	return errors.As(err, &e)
}
