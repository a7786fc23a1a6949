package meter

import (
	"context"
	"fmt"
	"time"

	"outcrop.dev/outcrop"
)

// Filter selects usage; zero fields select all. Usage is kept by the hour, so From and To
// are rounded down to one.
type Filter struct {
	Account  string
	Region   string
	Resource outcrop.ARN
	From, To time.Time // from From to before To
}

// Total is what was used of a resource by one operation.
type Total struct {
	Scope          outcrop.Scope
	Resource       outcrop.ARN
	Operation      string
	Events         int64
	InputTokens    int64
	OutputTokens   int64
	TrainingTokens int64
	Latency        time.Duration // of all events together
}

// Totals adds usage up for each resource and operation, ordered by both. What was recorded
// in the last quarter of a second may be missing; Flush waits for it.
func (m *Meter) Totals(ctx context.Context, f Filter) ([]Total, error) {
	query := `SELECT account, region, resource, operation, sum(events), sum(input_tokens), sum(output_tokens), sum(training_tokens), sum(latency_ns)
		FROM usage WHERE 1 = 1`
	var args []any
	add := func(cond string, arg any) { query, args = query+` AND `+cond, append(args, arg) }
	if f.Account != "" {
		add(`account = ?`, f.Account)
	}
	if f.Region != "" {
		add(`region = ?`, f.Region)
	}
	if f.Resource != "" {
		add(`resource = ?`, string(f.Resource))
	}
	if !f.From.IsZero() {
		add(`hour >= ?`, hourOf(f.From))
	}
	if !f.To.IsZero() {
		add(`hour < ?`, hourOf(f.To))
	}
	rows, err := m.db.Reader.QueryContext(ctx, query+` GROUP BY account, region, resource, operation ORDER BY resource, operation, account, region`, args...)
	if err != nil {
		return nil, fmt.Errorf("total usage: %w", err)
	}
	defer rows.Close()
	var totals []Total
	for rows.Next() {
		var t Total
		if err := rows.Scan(&t.Scope.Account, &t.Scope.Region, &t.Resource, &t.Operation,
			&t.Events, &t.InputTokens, &t.OutputTokens, &t.TrainingTokens, &t.Latency); err != nil {
			return nil, fmt.Errorf("total usage: %w", err)
		}
		totals = append(totals, t)
	}
	return totals, rows.Err()
}

func hourOf(t time.Time) int64 { return t.Unix() - t.Unix()%hourSeconds }
