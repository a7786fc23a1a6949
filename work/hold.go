package work

import (
	"context"
	"errors"
	"sync"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/internal/rows"
)

// Hold is the lease on one record, from the moment that it is ours until the work has ended or the
// lease is lost.
type Hold struct {
	ARN  outcrop.ARN
	Bell pause.Bell // makes the task look at once

	store outcrop.Store
	fence int64
	task  Task
}

// ErrEnded ends a task whose record needs no more work, or is gone.
var ErrEnded = errors.New("the work has ended")

// errLost ends a task whose lease another server has.
var errLost = errors.New("the lease is another server's")

// Read returns the record as it is now. ErrEnded if it is gone.
func (h *Hold) Read(ctx context.Context) (outcrop.Record, error) {
	rec, err := h.store.Get(ctx, outcrop.Key{ARN: h.ARN})
	switch {
	case outcrop.CodeOf(err) == outcrop.CodeNotFound:
		return rec, ErrEnded
	case err != nil:
		return rec, err
	case rec.Lease.Fence != h.fence:
		return rec, errLost
	}
	return rec, nil
}

// Edit is rows.Edit of the record. What f is given has the lease in it, so that nothing is
// written once another server has that. ErrEnded if the record is gone.
func (h *Hold) Edit(ctx context.Context, f func(outcrop.Record) ([]outcrop.Change, error)) error {
	err := rows.Edit(ctx, h.store, outcrop.Key{ARN: h.ARN}, func(rec outcrop.Record) ([]outcrop.Change, error) {
		if rec.Lease.Fence != h.fence {
			return nil, errLost
		}
		return f(rec)
	})
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return ErrEnded
	}
	return err
}

// run works until there is nothing more to do, the lease is lost, or ctx ends.
func (s *Supervisor) run(ctx context.Context, h *Hold) {
	defer h.task.Leave()
	ctx, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { s.renew(ctx, h, cancel) })
	defer renewing.Wait()
	defer cancel(nil)
	pause.Loop(ctx, h.Bell, func(ctx context.Context) time.Duration {
		wait, err := h.task.Step(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, ErrEnded), errors.Is(err, errLost):
			cancel(err)
		default:
			s.o.Log.Error("work", "on", h.ARN, "error", err)
			return retryEvery
		}
		return wait
	})
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errLost):
		s.o.Log.Warn("work taken over by another server", "on", h.ARN)
	case errors.Is(cause, ErrEnded):
		s.release(context.WithoutCancel(ctx), h)
	}
}

// renew keeps the lease, by a time of its own: a step may take longer than a lease lasts. It ends
// the work when another server has it.
func (s *Supervisor) renew(ctx context.Context, h *Hold, lost context.CancelCauseFunc) {
	for pause.For(ctx, leaseRenewal, nil) == nil {
		err := s.store.Renew(ctx, h.ARN, h.fence, leaseTTL)
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, outcrop.ErrStale):
			lost(errLost)
			return
		default:
			s.o.Log.Warn("renew lease", "on", h.ARN, "error", err)
		}
	}
}

// release lets a record that comes to life again, as throughput does when it is updated, be claimed
// at once. Where that fails it waits until the lease has run out.
func (s *Supervisor) release(ctx context.Context, h *Hold) {
	if err := s.store.Release(ctx, h.ARN, h.fence); err != nil && !errors.Is(err, outcrop.ErrStale) {
		s.o.Log.Warn("release lease", "on", h.ARN, "error", err)
	}
}
