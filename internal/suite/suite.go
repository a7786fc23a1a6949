// Package suite runs the cases of a conformance suite: against implementations, which must pass
// them all, and against broken ones, which must not. It knows nothing of what is tested.
//
//	var cases = suite.Cases[outcrop.Objects]{"Missing": testMissing, …}
//
//	func Run(t *testing.T, open suite.Open[outcrop.Objects]) { cases.Run(t, open) }
//
// A suite's own test breaks an implementation in one way at a time, and looks at Failures.
package suite

import (
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
)

// Cases are the cases of a suite by name. Each reports what is wrong with x to t.
type Cases[T any] map[string]func(t testing.TB, x T)

// Open returns a new implementation, or whatever holds one; it registers its own cleanup.
type Open[T any] func(t testing.TB) T

// Run runs every case against an implementation of its own, side by side.
func (c Cases[T]) Run(t *testing.T, open Open[T]) {
	t.Helper()
	for name, test := range c {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Failures returns the names of the cases that fail, in order. They fail nothing but themselves.
func (c Cases[T]) Failures(t testing.TB, open Open[T]) []string {
	t.Helper()
	var failed []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		r := &recorder{TB: t}
		ended := make(chan struct{})
		go func() { // a case that gives up ends its goroutine
			defer close(ended)
			c[name](r, open(t))
		}()
		if <-ended; r.failed.Load() {
			failed = append(failed, name)
		}
	}
	return failed
}

// recorder is a testing.TB that remembers a failure in place of reporting it.
type recorder struct {
	testing.TB
	failed atomic.Bool
}

func (r *recorder) Fail()                 { r.failed.Store(true) }
func (r *recorder) Failed() bool          { return r.failed.Load() }
func (r *recorder) Error(...any)          { r.Fail() }
func (r *recorder) Errorf(string, ...any) { r.Fail() }
func (r *recorder) Fatal(...any)          { r.FailNow() }
func (r *recorder) Fatalf(string, ...any) { r.FailNow() }

func (r *recorder) FailNow() {
	r.Fail()
	runtime.Goexit()
}
