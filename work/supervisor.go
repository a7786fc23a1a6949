package work

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
)

// Options are a supervisor's. Owner must be set.
type Options struct {
	// Owner names this server in leases. It must be the same after a restart, by which the
	// server takes its own leases up again at once, and no other server's.
	Owner string
	Log   *slog.Logger // nil discards
}

// The pace of a supervisor.
const (
	leaseTTL     = 30 * time.Second // how long another server waits before it takes over
	leaseRenewal = leaseTTL / 2
	pollEvery    = 5 * time.Second // for what Notify was not called for
	retryEvery   = time.Second     // after an error of the store
)

// Supervisor claims the records of its kinds and has them worked on.
type Supervisor struct {
	store outcrop.Store
	kinds []Kind
	o     Options
	bell  pause.Bell

	mu      sync.Mutex
	holds   map[outcrop.ARN]*Hold
	running sync.WaitGroup
}

// New returns a supervisor of the kinds. It panics if Options lacks an owner.
func New(store outcrop.Store, o Options, kinds ...Kind) *Supervisor {
	if o.Owner == "" {
		panic("work: an owner is needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Supervisor{store: store, kinds: kinds, o: o, bell: pause.NewBell(), holds: map[outcrop.ARN]*Hold{}}
}

// Notify says that a record of a kind was written. It never waits.
func (s *Supervisor) Notify() {
	s.bell.Ring()
	for _, k := range s.kinds {
		if r, ok := k.(Runner); ok {
			r.Notify()
		}
	}
}

// Run works until ctx ends; processes then go on by themselves, and the next Run finds them
// again. It returns an error only if it cannot begin. What a kind does beside its records, as a
// Runner, begins when everything that waits has been claimed.
func (s *Supervisor) Run(ctx context.Context) error {
	for _, k := range s.kinds {
		if err := s.resume(ctx, k); err != nil {
			return err
		}
	}
	defer s.running.Wait()
	s.claimAll(ctx)
	g, ctx := errgroup.WithContext(ctx)
	for _, k := range s.kinds {
		if r, ok := k.(Runner); ok {
			g.Go(func() error { return r.Run(ctx) })
		}
	}
	pause.Loop(ctx, s.bell, func(ctx context.Context) time.Duration {
		s.ringAll()
		s.claimAll(ctx)
		return pollEvery
	})
	return g.Wait()
}

func (s *Supervisor) claimAll(ctx context.Context) {
	for _, k := range s.kinds {
		if err := s.claim(ctx, k); err != nil && ctx.Err() == nil {
			s.o.Log.Error("claim", "kind", k.Noun(), "error", err)
		}
	}
}

// resume takes this server's own leases up again.
func (s *Supervisor) resume(ctx context.Context, k Kind) error {
	for rec, err := range live(ctx, s.store, k.Noun(), k.Live()) {
		if err != nil {
			return err
		}
		if rec.Lease.Owner == s.o.Owner {
			s.take(ctx, k, rec)
		}
	}
	return nil
}

// claim claims as many records of a kind as it takes, oldest first.
func (s *Supervisor) claim(ctx context.Context, k Kind) error {
	for {
		rec, ok, err := s.store.Claim(ctx, k.Noun(), k.Claims(), s.o.Owner, leaseTTL)
		if err != nil || !ok {
			return err
		}
		s.take(ctx, k, rec)
	}
}

// take has a record worked on whose lease this server holds, in a goroutine of its own.
func (s *Supervisor) take(ctx context.Context, k Kind, rec outcrop.Record) {
	h := &Hold{ARN: rec.ARN, Bell: pause.NewBell(), store: s.store, fence: rec.Lease.Fence}
	h.task = k.Take(h, rec)
	s.mu.Lock()
	s.holds[rec.ARN] = h
	s.mu.Unlock()
	s.running.Go(func() {
		s.run(ctx, h)
		s.mu.Lock()
		if s.holds[rec.ARN] == h { // else it was claimed again, after the lease was lost
			delete(s.holds, rec.ARN)
		}
		s.mu.Unlock()
		s.Notify() // there is a place for another
	})
}

// ringAll lets every task read its record again.
func (s *Supervisor) ringAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.holds {
		h.Bell.Ring()
	}
}
