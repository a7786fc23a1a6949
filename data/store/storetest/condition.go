package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"outcrop.dev/outcrop"
)

// given makes a change depend on f.
func given(c outcrop.Change, f func(ctx context.Context, r outcrop.Reader) error) outcrop.Change {
	c.If = f
	return c
}

func testConditionRefuses(t *testing.T, f *fixture) {
	f.must(create(record("a")))
	a := f.get(record("a"))
	refused := outcrop.Errorf(outcrop.CodeQuotaExceeded, "no place is left")
	broken := errors.New("the disk is on fire")
	for _, want := range []error{refused, broken} {
		for _, c := range []outcrop.Change{create(record("b")), update(a), remove(a)} {
			asked := 0
			c = given(c, func(context.Context, outcrop.Reader) error { asked++; return want })
			err := f.store.Apply(f.ctx, create(record("c")), c)
			if !errors.Is(err, want) || outcrop.CodeOf(err) != outcrop.CodeOf(want) || errors.Is(err, outcrop.ErrStale) || asked == 0 {
				t.Errorf("operation %d: %v after %d questions, want %v", c.Op, err, asked, want)
			}
		}
	}
	f.missing(record("b"))
	f.missing(record("c")) // what stood ahead in the batch is undone
	if got := f.get(a); got.Version != 1 {
		t.Errorf("a refused change made version %d", got.Version)
	}
	agreed := func(context.Context, outcrop.Reader) error { return nil }
	f.must(given(update(a), agreed))
	f.must(given(remove(f.get(a)), agreed), given(create(record("b")), agreed))
	f.missing(a)
}

func testConditionReads(t *testing.T, f *fixture) {
	a, b := record("a"), record("b")
	a.Token, b.Token = "token-a", "token-b"
	f.must(create(a))
	f.must(create(b), given(remove(f.get(a)), func(ctx context.Context, r outcrop.Reader) error {
		f.reads(ctx, r, a, b)
		return nil
	}), given(create(record("c")), func(ctx context.Context, r outcrop.Reader) error {
		f.reads(ctx, r, b)
		for _, err := range []error{
			second(r.Get(ctx, outcrop.Key{ARN: a.ARN})), second(r.Get(ctx, outcrop.Key{Kind: a.Kind, Scope: scope, Ref: a.Name})),
			second(r.ByToken(ctx, a.Kind, scope, a.Token)),
		} {
			if outcrop.CodeOf(err) != outcrop.CodeNotFound {
				t.Errorf("what the batch has deleted: %v", err)
			}
		}
		return nil
	}))
}

// reads checks that r has these records, in the order of their creation, and no others.
func (f *fixture) reads(ctx context.Context, r outcrop.Reader, want ...outcrop.Record) {
	f.t.Helper()
	q := outcrop.Query{Kind: outcrop.KindJob, Scope: scope, Ascending: true, Limit: 1}
	for i, w := range want {
		page, next, err := r.List(ctx, q)
		if err != nil || len(page) != 1 || page[0].ID != w.ID || (next == "") != (i == len(want)-1) {
			f.t.Errorf("page %d is %+v, %v; want %s", i, page, err, w.ID)
		}
		q.Next = next
		byName, err := r.Get(ctx, outcrop.Key{Kind: w.Kind, Scope: scope, Ref: w.Name})
		if err != nil || byName.ID != w.ID {
			f.t.Errorf("Get %s = %s, %v", w.Name, byName.ID, err)
		}
		byToken, err := r.ByToken(ctx, w.Kind, scope, w.Token)
		if err != nil || byToken.ID != w.ID {
			f.t.Errorf("ByToken %s = %s, %v", w.Token, byToken.ID, err)
		}
	}
}

// testConcurrentConditions has many take the last places of a quota.
func testConcurrentConditions(t *testing.T, f *fixture) {
	const writers, places = 16, 3
	full := outcrop.Errorf(outcrop.CodeQuotaExceeded, "full")
	var wg sync.WaitGroup
	var won atomic.Int32
	for i := range writers {
		wg.Go(func() {
			err := f.store.Apply(f.ctx, given(create(record(fmt.Sprintf("w%02d", i))), func(ctx context.Context, r outcrop.Reader) error {
				page, _, err := r.List(ctx, outcrop.Query{Kind: outcrop.KindJob, Scope: scope})
				if err == nil && len(page) >= places {
					return full
				}
				return err
			}))
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, full) {
				t.Errorf("Apply: %v", err)
			}
		})
	}
	wg.Wait()
	if got := f.all(outcrop.Query{Kind: outcrop.KindJob, Scope: scope}); len(got) != places || won.Load() != places {
		t.Errorf("%d were told that they won, and %d are there; want %d", won.Load(), len(got), places)
	}
}
