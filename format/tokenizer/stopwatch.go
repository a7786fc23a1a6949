package tokenizer

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A pattern may backtrack without end. What the patterns of a file may take for one text is matchTime,
// or matchTimePerByte where that is more; published ones take up to a microsecond for a byte.
// Half of it may pass by the clock. Then the time of the processor is measured, because a
// busy machine is no reason to refuse a text, and the rest is that of the processor.
const (
	matchTime        = 100 * time.Millisecond
	matchTimePerByte = 3 * time.Microsecond
	matchTimeMax     = 10 * time.Second
	// matchTick is how late the end of a match may come.
	matchTick = 5 * time.Millisecond
)

// matchAllowed is the time for a text of that size.
func matchAllowed(size int) time.Duration {
	return min(max(matchTime, time.Duration(size)*matchTimePerByte), matchTimeMax)
}

// matchLimit is that of each half: its end may come late.
func matchLimit(size int) time.Duration { return matchAllowed(size)/2 - 3*matchTick }

// stopwatch is the time that the patterns have taken for one text.
type stopwatch struct {
	limit  time.Duration
	timer  *time.Timer // nil: it stands
	rung   atomic.Bool
	began  time.Time
	passed time.Duration // by the clock, until it stood

	exact  bool          // limit has passed by the clock: the processor's time is measured
	used   time.Duration // of the processor, from then on
	locked bool          // the goroutine is tied to its thread, to measure
	since  time.Duration // what the thread had when used was last set
	runes  []rune        // scratch
}

// start is called before the matches of a piece: the first one starts the clock.
func (s *stopwatch) start() {
	switch {
	case s.exact:
		s.lock()
	case s.timer == nil:
		s.began = time.Now()
		s.timer = time.AfterFunc(s.limit-s.passed, func() { s.rung.Store(true) })
	}
}

// lock begins to measure the processor's time.
func (s *stopwatch) lock() {
	s.exact = true
	if !s.locked {
		runtime.LockOSThread()
		s.locked, s.since = true, threadTime()
	}
	s.rung.Store(false)
	if s.timer == nil {
		s.timer = time.AfterFunc(matchTick, func() { s.rung.Store(true) })
	}
	s.timer.Reset(matchTick)
}

// late is called after each match: it reports whether the time is over, or ctx.
func (s *stopwatch) late(ctx context.Context) bool {
	if !s.rung.Load() {
		return false
	}
	s.measure()
	s.lock()
	return s.used > s.limit || ctx.Err() != nil
}

func (s *stopwatch) measure() {
	if s.locked {
		now := threadTime()
		s.used, s.since = s.used+now-s.since, now
	}
}

// rest is called after the last match of a piece.
func (s *stopwatch) rest() {
	s.measure()
	if s.locked {
		runtime.UnlockOSThread()
		s.locked = false
	}
}

// stop is called at the end of a text.
func (s *stopwatch) stop() {
	if s.timer == nil {
		return
	}
	s.timer.Stop()
	s.timer = nil
	if !s.exact {
		s.passed += time.Since(s.began)
	}
}

// threadTime is the processor's time that the thread has had, which the caller has locked.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // stricter, where a sandbox forbids the other
	}
	return time.Duration(t.Nano())
}
