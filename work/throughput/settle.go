package throughput

import (
	"context"
	"errors"
	"fmt"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/work"
)

// settling is the work on one throughput: it brings it into service, or finds out that it cannot be.
type settling struct {
	*Kind
	lease *work.Hold
}

// Leave implements work.Task.
func (s *settling) Leave() {
	s.waiting.Add(-1)
	s.done(s.lease.ARN)
}

// Step implements work.Task.
func (s *settling) Step(ctx context.Context) (time.Duration, error) {
	rec, err := s.lease.Read(ctx)
	if err != nil {
		return 0, s.ends(err)
	}
	t, err := outcrop.ThroughputOf(rec)
	if err != nil {
		return 0, err
	}
	wanted := desired(t)
	if !settles(t, wanted) {
		return 0, work.ErrEnded
	}
	id, failure := s.loadWhenRoom(ctx, wanted)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	err = s.settle(ctx, wanted, id, failure)
	if err == nil {
		return 0, nil // the next step sees whether something else is wanted meanwhile
	}
	return 0, s.ends(err)
}

// ends is err, once a throughput that has been deleted keeps nothing loaded.
func (s *settling) ends(err error) error {
	if errors.Is(err, work.ErrEnded) {
		s.release(s.lease.ARN)
	}
	return err
}

// settle writes down what becomes of the throughput, its model loaded or failed to load, and lets the
// model go that it had before: only now no request finds that.
func (s *settling) settle(ctx context.Context, wanted outcrop.ARN, id outcrop.ModelID, failure error) error {
	goesOn := s.goesOn(failure)
	err := s.change(ctx, func(t *outcrop.Throughput) bool {
		if !settles(t, wanted) {
			return false
		}
		decide(t, failure, goesOn)
		return true
	})
	switch {
	case failure == nil:
		s.hold(s.lease.ARN, holding{id: id})
	case err == nil && !goesOn:
		s.release(s.lease.ARN) // it serves no model any more, also not the one before an update
	}
	return err
}

// settles reports whether t is still to be brought into service with the model wanted.
func settles(t *outcrop.Throughput, wanted outcrop.ARN) bool {
	return (t.Status == outcrop.ThroughputCreating || t.Status == outcrop.ThroughputUpdating) && desired(t) == wanted
}

// decide sets what becomes of t when its model has been loaded, or could not be.
func decide(t *outcrop.Throughput, failure error, goesOn bool) {
	wanted := desired(t)
	switch {
	case failure == nil:
		t.Status, t.FailureMessage = outcrop.ThroughputInService, ""
		t.ModelARN, t.DesiredModelARN, t.Parent = wanted, wanted, string(wanted)
	case goesOn:
		t.Status, t.DesiredModelARN = outcrop.ThroughputInService, t.ModelARN
		t.FailureMessage = fmt.Sprintf("It goes on with its model, for there is no room beside that for %s. %s", wanted, message(failure))
	default:
		t.Status, t.FailureMessage = outcrop.ThroughputFailed, message(failure)
	}
}

// goesOn reports whether a throughput goes on with the model that it serves, since there is no room
// for another beside it.
func (s *settling) goesOn(failure error) bool {
	return outcrop.CodeOf(failure) == outcrop.CodeModelNotReady && s.serves(s.lease.ARN)
}

// loadWhenRoom is load, some at a time, and again and again while there is no room. Meanwhile the
// throughput says what it waits for. It gives up early when something else is wanted.
func (s *settling) loadWhenRoom(ctx context.Context, wanted outcrop.ARN) (id outcrop.ModelID, err error) {
	for try := 1; ; try++ {
		if id, err = s.loadInTurn(ctx, wanted); outcrop.CodeOf(err) != outcrop.CodeModelNotReady || try == roomTries {
			return id, err
		}
		s.log.Warn("no room for the model of a throughput yet", "throughput", s.lease.ARN, "model", wanted, "try", try, "error", err)
		waits := false
		changed := s.change(ctx, func(t *outcrop.Throughput) bool {
			waits = settles(t, wanted)
			told := t.FailureMessage
			t.FailureMessage = message(err)
			return waits && told != t.FailureMessage
		})
		if changed != nil || !waits {
			return "", err
		}
		s.waiting.Add(-1) // others need not wait for it
		pause.For(ctx, pollEvery, nil)
		s.waiting.Add(1)
	}
}

// loadInTurn is load, of which loadsMax run at a time.
func (s *settling) loadInTurn(ctx context.Context, model outcrop.ARN) (id outcrop.ModelID, err error) {
	select {
	case s.loads <- struct{}{}:
		defer func() { <-s.loads }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return s.load(ctx, s.lease.ARN, model)
}

// load loads a model for a throughput and returns its id. What is the model's own
// fault fails at once, and so does what there is no room for; anything else after some tries.
func (k *Kind) load(ctx context.Context, arn, model outcrop.ARN) (id outcrop.ModelID, err error) {
	for try := 1; ; try++ {
		var files outcrop.ModelFiles
		if files, err = k.locate(ctx, string(model)); err == nil {
			id, err = files.ID, k.engine.Load(ctx, files)
		}
		if err == nil || ctx.Err() != nil || final(err) || try == triesMax {
			return id, err
		}
		k.log.Warn("load model", "throughput", arn, "model", model, "try", try, "error", err)
		pause.For(ctx, retryAfter, nil)
	}
}

// final reports whether a load would fail in the same way again, at least soon.
func final(err error) bool {
	switch outcrop.CodeOf(err) {
	case outcrop.CodeNotFound, outcrop.CodeValidation, outcrop.CodeModelError, outcrop.CodeModelNotReady:
		return true
	}
	return false
}

// message is what a user reads of a model that could not be loaded.
func message(err error) string {
	var e *outcrop.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return fmt.Sprintf("The model could not be loaded: %v. The server's log says more; delete the throughput and create it again when the cause is mended.", err)
}

// change applies f to the newest version of the throughput; if f returns false, nothing is written.
func (s *settling) change(ctx context.Context, f func(*outcrop.Throughput) bool) error {
	return s.lease.Edit(ctx, func(rec outcrop.Record) ([]outcrop.Change, error) {
		t, err := outcrop.ThroughputOf(rec)
		if err != nil || !f(t) {
			return nil, err
		}
		return []outcrop.Change{{Op: outcrop.OpUpdate, Record: t.Record()}}, nil
	})
}
