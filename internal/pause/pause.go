// Package pause waits, and can be woken.
package pause

import (
	"context"
	"time"
)

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
