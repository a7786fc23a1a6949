package pause_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop/internal/pause"
)

func TestFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := pause.For(t.Context(), time.Minute, nil); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("a pause of a minute took %v: %v", time.Since(begin), err)
		}

		begin, wake := time.Now(), make(chan struct{}, 1)
		wake <- struct{}{}
		if err := pause.For(t.Context(), time.Minute, wake); err != nil || time.Since(begin) != 0 {
			t.Errorf("a pause that is woken at once took %v: %v", time.Since(begin), err)
		}

		why := errors.New("the reason")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if err := pause.For(ctx, time.Minute, nil); !errors.Is(err, why) {
			t.Errorf("a pause that is cut off returned %v", err)
		}
	})
}

// A bell that is rung twice wakes once; Loop steps at once, after its time, when it is rung, and
// not after its end.
func TestLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		bell := pause.NewBell()
		ctx, cancel := context.WithCancel(t.Context())
		pause.Loop(ctx, bell, func(context.Context) time.Duration {
			at = append(at, time.Since(begin))
			switch len(at) {
			case 2:
				bell.Ring()
				bell.Ring()
			case 4:
				cancel()
			}
			return time.Minute
		})
		if want := []time.Duration{0, time.Minute, time.Minute, 2 * time.Minute}; !slices.Equal(at, want) {
			t.Errorf("stepped at %v, want %v", at, want)
		}
	})
}
