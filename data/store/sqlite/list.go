package sqlite

import (
	"context"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/internal/rule"
)

// List implements outcrop.Store.
func (r reader) List(ctx context.Context, q outcrop.Query) ([]outcrop.Record, string, error) {
	return r.list(ctx, q, `deleted = 0`)
}

// Deleted lists records that have been deleted; Updated says when.
func (s *Store) Deleted(ctx context.Context, q outcrop.Query) ([]outcrop.Record, string, error) {
	return s.list(ctx, q, `deleted <> 0`)
}

func (r reader) list(ctx context.Context, q outcrop.Query, which string) ([]outcrop.Record, string, error) {
	limit, err := rule.Limit(q)
	if err != nil {
		return nil, "", err
	}
	where := conditions{sql: []string{which}}
	where.selection(q)
	if q.Next != "" {
		c, err := rule.DecodeNext(q)
		if err != nil {
			return nil, "", err
		}
		where.add(`(created, arn) `+after(q)+` (?, ?)`, c.Created, string(c.ARN))
	}
	page, last, err := r.query(ctx, where, ` ORDER BY created`+direction(q)+`, arn`+direction(q)+` LIMIT ?`, limit)
	if err != nil || last.ARN == "" {
		return page, "", wrap("list", err)
	}
	return page, rule.EncodeNext(q, last), nil
}

// query returns up to limit records, without those that cannot be read, and where the next page begins
// if there is one.
func (r reader) query(ctx context.Context, where conditions, tail string, limit int) (page []outcrop.Record, last rule.Cursor, err error) {
	rows, err := r.from.QueryContext(ctx,
		`SELECT `+columns+` FROM resources WHERE `+strings.Join(where.sql, ` AND `)+tail, append(where.args, limit+1)...)
	if err != nil {
		return nil, last, err
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n == limit {
			return page, last, nil
		}
		rec, err := r.scan(rows)
		if created := rule.Nanos(rec.Created); created != 0 {
			last = rule.Cursor{Created: created, ARN: rec.ARN}
		}
		if outcrop.ReasonOf(err) == outcrop.ReasonUnreadable {
			r.log.Error("a list leaves out what cannot be read", "error", err)
			continue
		}
		if err != nil {
			return nil, last, err
		}
		page = append(page, rec)
	}
	return page, rule.Cursor{}, rows.Err()
}

func direction(q outcrop.Query) string {
	if q.Ascending {
		return ` ASC`
	}
	return ` DESC`
}

func after(q outcrop.Query) string {
	if q.Ascending {
		return `>`
	}
	return `<`
}

// conditions is a WHERE clause and its arguments.
type conditions struct {
	sql  []string
	args []any
}

func (c *conditions) add(sql string, args ...any) {
	c.sql, c.args = append(c.sql, sql), append(c.args, args...)
}

// selection adds what q asks for, apart from its page.
func (c *conditions) selection(q outcrop.Query) {
	c.add(`kind = ?`, string(q.Kind))
	if !q.AllScopes {
		c.add(`account = ? AND region = ?`, q.Account, q.Region)
	}
	if len(q.Statuses) > 0 {
		c.oneOf(`status`, q.Statuses)
	}
	if q.Parent != "" {
		c.add(`parent = ?`, q.Parent)
	}
	if q.NameContains != "" { // in any case: lower() makes LIKE the same in every database
		c.add(`lower(name) LIKE lower(?) ESCAPE '\'`, `%`+likeEscape.Replace(q.NameContains)+`%`)
	}
	if !q.CreatedAfter.IsZero() {
		c.add(`created > ?`, rule.Nanos(q.CreatedAfter))
	}
	if !q.CreatedBefore.IsZero() {
		c.add(`created < ?`, rule.Nanos(q.CreatedBefore))
	}
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// oneOf adds "column IN (?, …)" for at least one value.
func (c *conditions) oneOf(column string, values []outcrop.Status) {
	c.add(column + ` IN (?` + strings.Repeat(`, ?`, len(values)-1) + `)`)
	for _, v := range values {
		c.args = append(c.args, string(v))
	}
}
