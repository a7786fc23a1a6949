// Package storetest is the conformance suite that every outcrop.Store passes.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store { … })
//	}
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

// Store is what the suite tests: outcrop.Store, and what meter reads.
type Store interface {
	outcrop.Store
	// Deleted lists records that have been deleted; Updated says when.
	Deleted(ctx context.Context, q outcrop.Query) ([]outcrop.Record, string, error)
	// Counts returns how many live records of each kind stand in each status.
	Counts(ctx context.Context) (map[outcrop.Kind]map[outcrop.Status]int, error)
}

// New opens an empty store with the clock now; it registers its own cleanup.
type New func(t *testing.T, now func() time.Time) Store

// Run runs the suite.
func Run(t *testing.T, open New) {
	t.Helper()
	for name, f := range map[string]func(*testing.T, *fixture){
		"CreateAndGet":         testCreateAndGet,
		"GetByNameIDAndARN":    testGetByNameIDAndARN,
		"TimesAndVersions":     testTimesAndVersions,
		"UpdateKeepsIdentity":  testUpdateKeepsIdentity,
		"NamesAreUnique":       testNamesAreUnique,
		"TokensAreUnique":      testTokensAreUnique,
		"StaleVersion":         testStaleVersion,
		"StaleFence":           testStaleFence,
		"MissingRecord":        testMissingRecord,
		"AllOrNothing":         testAllOrNothing,
		"BatchIsSequential":    testBatchIsSequential,
		"BadChanges":           testBadChanges,
		"Limits":               testLimits,
		"ConditionRefuses":     testConditionRefuses,
		"ConditionReads":       testConditionReads,
		"ConcurrentConditions": testConcurrentConditions,
		"ListFilters":          testListFilters,
		"ListPages":            testListPages,
		"ListSameInstant":      testListSameInstant,
		"ListWhileWriting":     testListWhileWriting,
		"NextIsValidated":      testNextIsValidated,
		"DeletedHistory":       testDeletedHistory,
		"Counts":               testCounts,
		"ClaimOldestFirst":     testClaimOldestFirst,
		"ClaimAfterExpiry":     testClaimAfterExpiry,
		"LeaseOutlivesChanges": testLeaseOutlivesChanges,
		"RenewAndRelease":      testRenewAndRelease,
		"ConcurrentClaims":     testConcurrentClaims,
		"ConcurrentUpdates":    testConcurrentUpdates,
		"OddText":              testOddText,
		"CancelledContext":     testCancelledContext,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{t: start}
			f(t, &fixture{t: t, ctx: t.Context(), store: open(t, c.Now), clock: c})
		})
	}
}

// start is when the suite's clock begins. Its odd nanoseconds show a store that rounds.
var start = time.Date(2025, 1, 2, 3, 4, 5, 123456789, time.UTC)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var scope = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}

type fixture struct {
	t     *testing.T
	ctx   context.Context
	store Store
	clock *clock
}

// record returns a job record with the id (padded to 12) and a name made of it.
func record(id string) outcrop.Record {
	id = fmt.Sprintf("%s%0*d", id, 12-len(id), 0)
	return outcrop.Record{
		Meta: outcrop.Meta{
			Kind: outcrop.KindJob, Scope: scope, ID: id, Name: "name-" + id,
			ARN: scope.ARN(outcrop.KindJob, "base/"+id), Status: outcrop.JobInProgress,
		},
		Body: json.RawMessage(`{"A":1}`),
	}
}

func create(r outcrop.Record) outcrop.Change { return outcrop.Change{Op: outcrop.OpCreate, Record: r} }
func update(r outcrop.Record) outcrop.Change { return outcrop.Change{Op: outcrop.OpUpdate, Record: r} }
func remove(r outcrop.Record) outcrop.Change { return outcrop.Change{Op: outcrop.OpDelete, Record: r} }

// must applies changes that have to succeed.
func (f *fixture) must(changes ...outcrop.Change) {
	f.t.Helper()
	if err := f.store.Apply(f.ctx, changes...); err != nil {
		f.t.Fatalf("Apply: %v", err)
	}
}

// fails applies changes that have to fail with code.
func (f *fixture) fails(code outcrop.Code, changes ...outcrop.Change) error {
	f.t.Helper()
	err := f.store.Apply(f.ctx, changes...)
	if got := outcrop.CodeOf(err); got != code {
		f.t.Fatalf("Apply: %v, want %s", err, code)
	}
	return err
}

func (f *fixture) get(r outcrop.Record) outcrop.Record {
	f.t.Helper()
	got, err := f.store.Get(f.ctx, outcrop.Key{ARN: r.ARN})
	if err != nil {
		f.t.Fatalf("Get %s: %v", r.ARN, err)
	}
	return got
}

func (f *fixture) missing(r outcrop.Record) {
	f.t.Helper()
	if _, err := f.store.Get(f.ctx, outcrop.Key{ARN: r.ARN}); outcrop.CodeOf(err) != outcrop.CodeNotFound {
		f.t.Fatalf("Get %s: %v, want not found", r.ARN, err)
	}
}

func (f *fixture) stale(err error, want bool) {
	f.t.Helper()
	if errors.Is(err, outcrop.ErrStale) != want {
		f.t.Fatalf("errors.Is(%v, ErrStale) = %v", err, !want)
	}
}

// all lists every page of q.
func (f *fixture) all(q outcrop.Query) []string {
	f.t.Helper()
	var ids []string
	for {
		page, next, err := f.store.List(f.ctx, q)
		if err != nil {
			f.t.Fatalf("List: %v", err)
		}
		for _, r := range page {
			ids = append(ids, r.ID)
		}
		if next == "" {
			return ids
		}
		if len(page) == 0 {
			f.t.Fatal("an empty page with a next token")
		}
		q.Next = next
	}
}
