package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

func testCreateAndGet(t *testing.T, f *fixture) {
	r := record("a")
	r.Parent, r.Token, r.Tags = "arn:parent", "tok", map[string]string{"k": "v", "empty": ""}
	r.Version, r.Lease = 17, outcrop.Lease{Owner: "x", Until: start, Fence: 9} // ignored
	f.must(create(r))
	want := r
	want.Created, want.Updated, want.Version, want.Lease = start, start, 1, outcrop.Lease{}
	if got := f.get(r); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got := f.get(r)
	got.Tags["k"], got.Body[1] = "changed", 'X' // the caller's copy only
	if again := f.get(r); !reflect.DeepEqual(again, want) {
		t.Errorf("a caller's copy changed the store: %+v", again)
	}
}

func testGetByNameIDAndARN(t *testing.T, f *fixture) {
	a, b := record("a"), record("b")
	b.Name = a.ID // a name may look like another record's id: the id wins
	other := record("c")
	other.Region = "eu-west-1"
	other.ARN = other.Scope.ARN(other.Kind, "base/"+other.ID)
	other.Name = "name-" + a.ID
	f.must(create(a), create(b), create(other))
	for ref, want := range map[string]string{
		a.Name: a.ID, a.ID: a.ID, b.ID: b.ID, string(b.ARN): b.ID,
		"arn:aws:bedrock:us-east-1:123456789012:model-customization-job/" + a.Name: a.ID,
		string(other.ARN): other.ID,
	} {
		got, err := f.store.Get(f.ctx, outcrop.KeyFor(outcrop.KindJob, scope, ref))
		if err != nil || got.ID != want {
			t.Errorf("Get %s = %s, %v; want %s", ref, got.ID, err, want)
		}
	}
	for _, key := range []outcrop.Key{
		{Kind: outcrop.KindJob, Scope: scope, Ref: "nobody"},
		{Kind: outcrop.KindCustomModel, Scope: scope, Ref: a.ID},
		{Kind: outcrop.KindJob, Scope: outcrop.Scope{Account: "210987654321", Region: "us-east-1"}, Ref: a.ID},
		{Kind: outcrop.KindJob, Scope: scope, Ref: ""},
		{ARN: "arn:nobody"},
	} {
		if got, err := f.store.Get(f.ctx, key); outcrop.CodeOf(err) != outcrop.CodeNotFound {
			t.Errorf("Get %+v = %s, %v; want not found", key, got.ID, err)
		}
	}
}

func testTimesAndVersions(t *testing.T, f *fixture) {
	r := record("a")
	r.Created = time.Date(2020, 5, 6, 7, 8, 9, 987654321, time.FixedZone("x", 3600))
	f.must(create(r))
	got := f.get(r)
	if got.Created != r.Created.UTC() || got.Updated != start || got.Version != 1 {
		t.Fatalf("created %v updated %v version %d", got.Created, got.Updated, got.Version)
	}
	f.clock.Advance(time.Second)
	got.Body = json.RawMessage(`{"A":2}`)
	f.must(update(got))
	got = f.get(r)
	if got.Created != r.Created.UTC() || got.Updated != start.Add(time.Second) || got.Version != 2 || string(got.Body) != `{"A":2}` {
		t.Errorf("after an update: %+v", got)
	}
}

func testUpdateKeepsIdentity(t *testing.T, f *fixture) {
	r := record("a")
	r.Token = "tok"
	f.must(create(r))
	was := f.get(r)
	u := was
	u.ID, u.Token, u.Created, u.Kind, u.Scope = "zzzzzzzzzzzz", "other", start.Add(-time.Hour), outcrop.KindThroughput, outcrop.Scope{Account: "1", Region: "r"}
	u.Name, u.Status, u.Parent, u.Tags = "renamed", "Stopped", "p", map[string]string{"n": "1"}
	f.must(update(u))
	want := was
	want.Name, want.Status, want.Parent, want.Tags, want.Version = u.Name, u.Status, u.Parent, u.Tags, 2
	if got := f.get(r); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func testNamesAreUnique(t *testing.T, f *fixture) {
	a, b := record("a"), record("b")
	b.Name = a.Name
	f.must(create(a))
	err := f.fails(outcrop.CodeConflict, create(b))
	f.stale(err, false)
	if !strings.Contains(err.Error(), a.Name) {
		t.Errorf("the message does not name the name: %v", err)
	}
	kind, region, account := b, b, b
	kind.Kind, kind.ARN = outcrop.KindThroughput, "arn:1"
	region.Region, region.ARN = "eu-west-1", "arn:2"
	account.Account, account.ARN = "210987654321", "arn:3"
	f.must(create(kind), create(region), create(account))

	c := record("c")
	f.must(create(c))
	c = f.get(c)
	c.Name = a.Name
	f.stale(f.fails(outcrop.CodeConflict, update(c)), false)
	f.must(remove(f.get(a)))
	f.must(update(c)) // a deleted record's name is free
	d, e := record("d"), record("e")
	d.Name, e.Name = "", ""
	f.must(create(d), create(e)) // records without a name do not collide
}

func testTokensAreUnique(t *testing.T, f *fixture) {
	a, b := record("a"), record("b")
	a.Token, b.Token = "tok", "tok"
	f.must(create(a))
	f.stale(f.fails(outcrop.CodeConflict, create(b)), false)
	got, err := f.store.ByToken(f.ctx, outcrop.KindJob, scope, "tok")
	if err != nil || got.ID != a.ID {
		t.Fatalf("ByToken = %s, %v", got.ID, err)
	}
	elsewhere := outcrop.Scope{Account: scope.Account, Region: "eu-west-1"}
	for _, err := range []error{
		second(f.store.ByToken(f.ctx, outcrop.KindThroughput, scope, "tok")),
		second(f.store.ByToken(f.ctx, outcrop.KindJob, elsewhere, "tok")),
		second(f.store.ByToken(f.ctx, outcrop.KindJob, scope, "")),
	} {
		if outcrop.CodeOf(err) != outcrop.CodeNotFound {
			t.Errorf("ByToken: %v, want not found", err)
		}
	}
	f.must(remove(f.get(a)))
	f.must(create(b)) // a deleted record's token is free
}

func second(_ outcrop.Record, err error) error { return err }

func testStaleVersion(t *testing.T, f *fixture) {
	f.must(create(record("a")))
	r := f.get(record("a"))
	f.must(update(r))
	f.stale(f.fails(outcrop.CodeConflict, update(r)), true)
	f.stale(f.fails(outcrop.CodeConflict, remove(r)), true)
	f.must(remove(f.get(r)))
	f.missing(r)
}

func testStaleFence(t *testing.T, f *fixture) {
	f.must(create(record("a")))
	held := f.claim("one")
	f.clock.Advance(time.Minute)
	taken := f.claim("two")
	f.stale(f.fails(outcrop.CodeConflict, update(held)), true)
	f.stale(f.fails(outcrop.CodeConflict, remove(held)), true)
	f.must(update(taken))
	taken = f.get(taken)
	taken.Lease.Fence = 0 // a writer that holds no lease, such as the API
	f.must(update(taken))
}

func testMissingRecord(t *testing.T, f *fixture) {
	f.fails(outcrop.CodeNotFound, update(record("a")))
	f.fails(outcrop.CodeNotFound, remove(record("a")))
	f.must(create(record("a")))
	f.stale(f.fails(outcrop.CodeConflict, create(record("a"))), false)
	r := f.get(record("a"))
	f.must(remove(r))
	f.fails(outcrop.CodeNotFound, remove(r))
	f.fails(outcrop.CodeConflict, create(record("a"))) // an ARN is never used twice
}

func testAllOrNothing(t *testing.T, f *fixture) {
	f.must(create(record("a")))
	a := f.get(record("a"))
	changed := a
	changed.Status = "Completed"
	clash := record("c")
	clash.Name = "name-" + record("b").ID
	f.fails(outcrop.CodeConflict, update(changed), create(record("b")), create(clash))
	if got := f.get(a); got.Status != a.Status || got.Version != 1 {
		t.Errorf("half a batch was kept: %+v", got)
	}
	f.missing(record("b"))
	f.fails(outcrop.CodeNotFound, remove(a), remove(a))
	f.get(a)
	f.must() // an empty batch is no error
}

func withVersion(r outcrop.Record, v int64) outcrop.Record { r.Version = v; return r }

func testBatchIsSequential(t *testing.T, f *fixture) {
	f.must(create(record("a")))
	a := f.get(record("a"))
	b := record("b")
	b.Name = a.Name
	f.must(remove(a), create(b)) // the name is free once its holder is gone
	b = f.get(b)
	c := record("c")
	c.Name = b.Name
	b.Name = "other"
	f.must(update(b), create(c), update(withVersion(c, 1)))
	if got := f.get(c); got.Version != 2 {
		t.Errorf("version %d after create and update in one batch", got.Version)
	}
}

func testBadChanges(t *testing.T, f *fixture) {
	for name, spoil := range map[string]func(*outcrop.Record){
		"no ARN":      func(r *outcrop.Record) { r.ARN = "" },
		"no kind":     func(r *outcrop.Record) { r.Kind = "" },
		"no id":       func(r *outcrop.Record) { r.ID = "" },
		"no account":  func(r *outcrop.Record) { r.Account = "" },
		"no region":   func(r *outcrop.Record) { r.Region = "" },
		"no body":     func(r *outcrop.Record) { r.Body = nil },
		"broken body": func(r *outcrop.Record) { r.Body = json.RawMessage(`{`) },
	} {
		r := record("a")
		spoil(&r)
		if err := f.store.Apply(f.ctx, create(record("b")), create(r)); err == nil {
			t.Errorf("%s: accepted", name)
		}
		f.missing(record("b"))
	}
	if err := f.store.Apply(f.ctx, outcrop.Change{Op: 3, Record: record("a")}); err == nil {
		t.Error("accepted an operation that does not exist")
	}
}

// The limits here repeat data/store/internal/rule's constants, so that a change shows.
func testLimits(t *testing.T, f *fixture) {
	const changesMax, bodyMax = 100, 1 << 20
	batch := make([]outcrop.Change, changesMax+1)
	for i := range batch {
		batch[i] = create(record(fmt.Sprintf("r%03d", i)))
	}
	f.fails(outcrop.CodeValidation, batch...)
	f.must(batch[:changesMax]...)
	r := record("big")
	r.Body = json.RawMessage(`"` + strings.Repeat("x", bodyMax-1) + `"`)
	f.fails(outcrop.CodeValidation, create(r))
	r.Body = json.RawMessage(`"` + strings.Repeat("x", bodyMax-2) + `"`)
	f.must(create(r))
	if got := f.get(r); len(got.Body) != bodyMax {
		t.Errorf("body of %d bytes came back", len(got.Body))
	}
}

func testConcurrentUpdates(t *testing.T, f *fixture) {
	f.must(create(record("a")))
	const writers, rounds = 4, 10
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < rounds; {
				err := f.increment(record("a"))
				if err != nil && !errors.Is(err, outcrop.ErrStale) {
					t.Errorf("increment: %v", err)
					return
				}
				if err == nil {
					done++
				}
			}
		})
	}
	wg.Wait()
	if got := f.get(record("a")); got.Status != outcrop.Status(fmt.Sprintf("n%d", writers*rounds)) || got.Version != writers*rounds+1 {
		t.Errorf("an update was lost: status %s, version %d", got.Status, got.Version)
	}
}

// increment adds one to the number in r's status, as one reader and writer among many.
func (f *fixture) increment(r outcrop.Record) error {
	r, err := f.store.Get(f.ctx, outcrop.Key{ARN: r.ARN})
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(string(r.Status), "n")) // 0 for the first status
	r.Status = outcrop.Status(fmt.Sprintf("n%d", n+1))
	return f.store.Apply(f.ctx, update(r))
}

func testOddText(t *testing.T, f *fixture) {
	r := record("a")
	r.Name = "é\u2028'\";--%_\\"
	r.Tags = map[string]string{"日本": "\U0001F600", "a\"b": "\t"}
	r.Body = json.RawMessage(`{"x":"<>&\u0000é","n":12345678901234567890}`)
	f.must(create(r))
	got := f.get(r)
	if got.Name != r.Name || !reflect.DeepEqual(got.Tags, r.Tags) || string(got.Body) != string(r.Body) {
		t.Errorf("got %q %q %s", got.Name, got.Tags, got.Body)
	}
	if _, err := f.store.Get(f.ctx, outcrop.Key{Kind: r.Kind, Scope: scope, Ref: r.Name}); err != nil {
		t.Error(err)
	}
}

func testCancelledContext(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	if err := f.store.Apply(ctx, create(record("a"))); err == nil {
		f.get(record("a")) // either it is refused or it is there
		return
	}
	f.missing(record("a"))
}
