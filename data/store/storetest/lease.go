package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

const leaseTTL = 30 * time.Second

var working = []outcrop.Status{outcrop.JobInProgress, outcrop.JobStopping}

// claim claims a record that must be there.
func (f *fixture) claim(owner string) outcrop.Record {
	f.t.Helper()
	r, ok, err := f.store.Claim(f.ctx, outcrop.KindJob, working, owner, leaseTTL)
	if err != nil || !ok {
		f.t.Fatalf("Claim = %v, %v", ok, err)
	}
	return r
}

func (f *fixture) nothingToClaim() {
	f.t.Helper()
	if r, ok, err := f.store.Claim(f.ctx, outcrop.KindJob, working, "nobody", leaseTTL); ok || err != nil {
		f.t.Fatalf("Claim = %s, %v, %v; want nothing", r.ID, ok, err)
	}
}

func testClaimOldestFirst(t *testing.T, f *fixture) {
	a, b, c, d := record("a"), record("b"), record("c"), record("d")
	a.Created, b.Created = start.Add(-time.Hour), start.Add(-2*time.Hour)
	c.Status, d.Kind = outcrop.JobCompleted, outcrop.KindThroughput
	f.nothingToClaim()
	f.must(create(a), create(b), create(c), create(d))
	first := f.claim("w")
	want := outcrop.Lease{Owner: "w", Until: start.Add(leaseTTL), Fence: 1}
	if first.ID != b.ID || first.Lease != want || string(first.Body) != string(b.Body) || first.Version != 1 {
		t.Errorf("first claim = %+v", first)
	}
	if got := f.get(b); got.Lease != want {
		t.Errorf("stored lease = %+v", got.Lease)
	}
	if second := f.claim("w"); second.ID != a.ID {
		t.Errorf("second claim = %s", second.ID)
	}
	f.nothingToClaim()
	if _, ok, err := f.store.Claim(f.ctx, outcrop.KindJob, nil, "w", leaseTTL); ok || err != nil {
		t.Errorf("a claim of no status = %v, %v", ok, err)
	}
}

func testClaimAfterExpiry(t *testing.T, f *fixture) {
	f.must(create(record("a")))
	f.claim("one")
	f.clock.Advance(leaseTTL - 1)
	f.nothingToClaim()
	f.clock.Advance(1)
	if r := f.claim("two"); r.Lease.Fence != 2 || r.Lease.Owner != "two" {
		t.Errorf("lease %+v", r.Lease)
	}
}

func testLeaseOutlivesChanges(t *testing.T, f *fixture) {
	f.must(create(record("a")))
	held := f.claim("one")
	api := f.get(held)
	api.Lease = outcrop.Lease{}
	api.Status = outcrop.JobStopping
	f.must(update(api)) // the API changes the record under the holder
	if got := f.get(held); got.Lease != held.Lease {
		t.Errorf("an update changed the lease to %+v", got.Lease)
	}
	f.nothingToClaim()
	f.stale(f.fails(outcrop.CodeConflict, update(held)), true) // its version, not its fence
	if err := f.store.Renew(f.ctx, held.ARN, held.Lease.Fence, leaseTTL); err != nil {
		t.Error(err)
	}
}

func testRenewAndRelease(t *testing.T, f *fixture) {
	f.must(create(record("a")))
	held := f.claim("one")
	f.clock.Advance(leaseTTL - 1)
	if err := f.store.Renew(f.ctx, held.ARN, 1, leaseTTL); err != nil {
		t.Fatal(err)
	}
	if got := f.get(held); got.Version != held.Version || got.Lease.Until != f.clock.Now().Add(leaseTTL) {
		t.Errorf("after a renewal: version %d, lease %+v", got.Version, got.Lease)
	}
	f.clock.Advance(leaseTTL - 1)
	f.nothingToClaim()
	f.stale(f.store.Renew(f.ctx, held.ARN, 2, leaseTTL), true)
	f.stale(f.store.Release(f.ctx, held.ARN, 2), true)
	f.stale(f.store.Renew(f.ctx, "arn:nobody", 1, leaseTTL), true)
	if err := f.store.Release(f.ctx, held.ARN, 1); err != nil {
		t.Fatal(err)
	}
	f.stale(f.store.Renew(f.ctx, held.ARN, 1, leaseTTL), true) // what is released is gone
	f.stale(f.store.Release(f.ctx, held.ARN, 1), true)
	if r := f.claim("two"); r.Lease.Fence != 2 {
		t.Errorf("fence %d after a release and a claim", r.Lease.Fence)
	}
	f.stale(f.store.Release(f.ctx, held.ARN, 1), true)
}

func testConcurrentClaims(t *testing.T, f *fixture) {
	const jobs, workers = 12, 4
	for i := range jobs {
		f.must(create(record(fmt.Sprintf("r%02d", i))))
	}
	var mu sync.Mutex
	owners := map[outcrop.ARN]int{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				r, ok, err := f.store.Claim(f.ctx, outcrop.KindJob, working, "w", leaseTTL)
				if err != nil {
					t.Error(err)
				}
				if !ok {
					return
				}
				mu.Lock()
				owners[r.ARN]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(owners) != jobs {
		t.Errorf("%d of %d were claimed", len(owners), jobs)
	}
	for arn, n := range owners {
		if n != 1 {
			t.Errorf("%s was claimed %d times", arn, n)
		}
	}
}
