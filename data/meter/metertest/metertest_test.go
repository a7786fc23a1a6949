package metertest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/meter"
)

// memory is a meter that keeps every event; change, if not nil, breaks it.
type memory struct {
	change func(*outcrop.Usage) (keep bool)
	mu     sync.Mutex
	used   []outcrop.Usage
}

func TestMemory(t *testing.T) {
	t.Parallel()
	Run(t, func(testing.TB) Meter { return &memory{} })
}

func (m *memory) Record(_ context.Context, u outcrop.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.change != nil && !m.change(&u) {
		return
	}
	again := func(old outcrop.Usage) bool {
		return old.Resource == u.Resource && old.Operation == u.Operation && hour(old.At).Equal(hour(u.At))
	}
	if !u.Once || !slices.ContainsFunc(m.used, again) {
		m.used = append(m.used, u)
	}
}

func (m *memory) Flush(context.Context) error { return nil }

func hour(at time.Time) time.Time { return at.Truncate(time.Hour) }

func (m *memory) Totals(_ context.Context, f meter.Filter) ([]meter.Total, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var totals []meter.Total
	for _, u := range m.used {
		if selects(f, u) {
			totals = add(totals, u)
		}
	}
	slices.SortFunc(totals, func(a, b meter.Total) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Operation, b.Operation))
	})
	return totals, nil
}

func selects(f meter.Filter, u outcrop.Usage) bool {
	return (f.Account == "" || f.Account == u.Scope.Account) && (f.Region == "" || f.Region == u.Scope.Region) &&
		(f.Resource == "" || f.Resource == u.Resource) &&
		(f.From.IsZero() || !hour(u.At).Before(hour(f.From))) && (f.To.IsZero() || hour(u.At).Before(hour(f.To)))
}

func add(totals []meter.Total, u outcrop.Usage) []meter.Total {
	i := slices.IndexFunc(totals, func(t meter.Total) bool {
		return t.Scope == u.Scope && t.Resource == u.Resource && t.Operation == u.Operation
	})
	if i < 0 {
		totals = append(totals, meter.Total{Scope: u.Scope, Resource: u.Resource, Operation: u.Operation})
		i = len(totals) - 1
	}
	t := &totals[i]
	t.Events++
	t.InputTokens += u.InputTokens
	t.OutputTokens += u.OutputTokens
	t.TrainingTokens += u.TrainingTokens
	t.Latency += u.Latency
	return totals
}

// deaf is a memory that does not record what comes with an ended context.
type deaf struct{ *memory }

func (d deaf) Record(ctx context.Context, u outcrop.Usage) {
	if ctx.Err() == nil {
		d.memory.Record(ctx, u)
	}
}

// TestSuiteFails: every case finds what it is there to find.
func TestSuiteFails(t *testing.T) {
	t.Parallel()
	all := func(f func(*outcrop.Usage)) Meter {
		return &memory{change: func(u *outcrop.Usage) bool { f(u); return true }}
	}
	for name, fault := range map[string]struct {
		m    func() Meter
		want []string
	}{
		"nothing": {func() Meter { return &memory{} }, nil},
		"records nothing": {func() Meter { return &memory{change: func(*outcrop.Usage) bool { return false }} },
			[]string{"CancelledContext", "Concurrent", "Filters", "FullHours", "LargeQuantities", "Once", "OperationsApart", "Sums"}},
		"drops the thousandth": {func() Meter {
			n := 0
			return &memory{change: func(*outcrop.Usage) bool { n++; return n != 1000 }}
		}, []string{"Concurrent", "Sums"}},
		"remembers what was": {func() Meter { return leftover() },
			[]string{"CancelledContext", "Filters", "FullHours", "LargeQuantities", "Nothing", "Once", "OperationsApart", "Sums"}},
		"one region":          {func() Meter { return all(func(u *outcrop.Usage) { u.Scope.Region = "us-east-1" }) }, []string{"Filters"}},
		"the hour is rounded": {func() Meter { return all(func(u *outcrop.Usage) { u.At = u.At.Round(time.Hour) }) }, []string{"FullHours"}},
		"one operation":       {func() Meter { return all(func(u *outcrop.Usage) { u.Operation = "InvokeModel" }) }, []string{"LargeQuantities", "OperationsApart"}},
		"floating point": {func() Meter {
			return all(func(u *outcrop.Usage) { u.TrainingTokens = int64(float32(u.TrainingTokens)) })
		}, []string{"LargeQuantities"}},
		"again and again":  {func() Meter { return all(func(u *outcrop.Usage) { u.Once = false }) }, []string{"Once"}},
		"deaf to the gone": {func() Meter { return deaf{&memory{}} }, []string{"CancelledContext"}},
	} {
		if got := cases.Failures(t, func(testing.TB) Meter { return fault.m() }); !slices.Equal(got, fault.want) {
			t.Errorf("%s: %q fail, want %q", name, got, fault.want)
		}
	}
}

// leftover is a meter that is not empty.
func leftover() Meter {
	m := &memory{}
	m.Record(context.Background(), usage(noon, "arn:left"))
	return m
}
