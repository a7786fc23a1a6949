// Package pause waits, and can be woken. What runs in the background waits here, and here alone:
//
//	bell := pause.NewBell()
//	go pause.Loop(ctx, bell, func(ctx context.Context) time.Duration {
//		work(ctx)
//		return time.Minute // look again then, or when somebody rings
//	})
//	bell.Ring()
package pause

import (
	"context"
	"math"
	"time"
)

// UntilRung is how long Loop's step has it wait that has nothing to do before somebody rings.
const UntilRung = time.Duration(math.MaxInt64)

// Bell wakes one waiter. A ring that nobody waits for is kept for the next one, once: who is
// woken looks at everything anyway.
type Bell chan struct{}

// NewBell returns a bell that has not been rung.
func NewBell() Bell { return make(Bell, 1) }

// Ring wakes whoever waits, or the next who will. It never waits.
func (b Bell) Ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// For waits for d, or until something comes from wake, which may be nil. If ctx ends first it
// returns why.
func For(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Loop calls step, waits as long as it says or until bell rings, and calls it again, until ctx
// ends. It does not call step after that.
func Loop(ctx context.Context, bell Bell, step func(context.Context) time.Duration) {
	for ctx.Err() == nil {
		_ = For(ctx, step(ctx), bell) // the condition says whether ctx has ended
	}
}
