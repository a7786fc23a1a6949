// Package metertest is the conformance suite that every outcrop.Meter passes whose sums can be
// read.
//
//	func TestMeter(t *testing.T) {
//		metertest.Run(t, func(t testing.TB) metertest.Meter { … })
//	}
package metertest

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/meter"
	"outcrop.dev/outcrop/internal/suite"
)

// Meter is what the suite tests: outcrop.Meter, and how its sums are read.
type Meter interface {
	outcrop.Meter
	// Flush waits until what was recorded before is in the sums.
	Flush(ctx context.Context) error
	Totals(ctx context.Context, f meter.Filter) ([]meter.Total, error)
}

// Run runs the suite; open opens a meter without sums.
func Run(t *testing.T, open suite.Open[Meter]) {
	t.Helper()
	cases.Run(t, open)
}

var cases = suite.Cases[Meter]{
	"Nothing":          testNothing,
	"Sums":             testSums,
	"Filters":          testFilters,
	"FullHours":        testFullHours,
	"OperationsApart":  testOperationsApart,
	"LargeQuantities":  testLargeQuantities,
	"Once":             testOnce,
	"CancelledContext": testCancelledContext,
	"Concurrent":       testConcurrent,
}

var (
	scope = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	noon  = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
)

// usage is an invocation of 3 tokens for 2.
func usage(at time.Time, resource outcrop.ARN) outcrop.Usage {
	return outcrop.Usage{At: at, Scope: scope, Resource: resource, Operation: "InvokeModel", InputTokens: 3, OutputTokens: 2, Latency: time.Second}
}

// total is the sum of so many of them.
func total(resource outcrop.ARN, events int64) meter.Total {
	return meter.Total{Scope: scope, Resource: resource, Operation: "InvokeModel", Events: events,
		InputTokens: 3 * events, OutputTokens: 2 * events, Latency: time.Duration(events) * time.Second}
}

// check compares the sums that f selects.
func check(t testing.TB, m Meter, f meter.Filter, want ...meter.Total) {
	t.Helper()
	if err := m.Flush(t.Context()); err != nil {
		t.Fatalf("Flush: %v", err)
	}
	got, err := m.Totals(t.Context(), f)
	if err != nil {
		t.Fatalf("Totals: %v", err)
	}
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%+v:\n got %+v\nwant %+v", f, got, want)
	}
}

func testNothing(t testing.TB, m Meter) { check(t, m, meter.Filter{}) }

func testSums(t testing.TB, m Meter) {
	for i := range 1000 { // 16 min 40 s
		m.Record(t.Context(), usage(noon.Add(time.Duration(i)*time.Second), "arn:a"))
	}
	m.Record(t.Context(), usage(noon.Add(time.Hour), "arn:a"))
	check(t, m, meter.Filter{}, total("arn:a", 1001))
	m.Record(t.Context(), usage(noon, "arn:a")) // to what has been written
	check(t, m, meter.Filter{}, total("arn:a", 1002))
}

func testFilters(t testing.TB, m Meter) {
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		for _, account := range []string{scope.Account, "210987654321"} {
			u := usage(noon, outcrop.ARN("arn:"+region+account))
			u.Scope = outcrop.Scope{Account: account, Region: region}
			m.Record(t.Context(), u)
		}
	}
	there := func(account, region string) meter.Total {
		one := total(outcrop.ARN("arn:"+region+account), 1)
		one.Scope = outcrop.Scope{Account: account, Region: region}
		return one
	}
	a, b := there(scope.Account, "eu-west-1"), there("210987654321", "eu-west-1")
	c, d := there(scope.Account, "us-east-1"), there("210987654321", "us-east-1")
	check(t, m, meter.Filter{}, a, b, c, d)
	check(t, m, meter.Filter{Account: scope.Account}, a, c)
	check(t, m, meter.Filter{Region: "eu-west-1"}, a, b)
	check(t, m, meter.Filter{Account: scope.Account, Region: "us-east-1"}, c)
	check(t, m, meter.Filter{Resource: d.Resource}, d)
	check(t, m, meter.Filter{Resource: d.Resource, Region: "eu-west-1"})
}

// testFullHours: From and To are rounded down, and To is not in it.
func testFullHours(t testing.TB, m Meter) {
	for h := range 3 {
		for range h + 1 {
			m.Record(t.Context(), usage(noon.Add(time.Duration(h)*time.Hour+59*time.Minute), "arn:a"))
		}
	}
	for _, tc := range []struct {
		from, to int // minutes after noon
		events   int64
	}{{0, 60, 1}, {59, 60, 1}, {60, 120, 2}, {60, 119, 0}, {60, 179, 2}, {61, 180, 5}, {0, 180, 6}, {180, 240, 0}} {
		f := meter.Filter{From: noon.Add(time.Duration(tc.from) * time.Minute), To: noon.Add(time.Duration(tc.to) * time.Minute)}
		if tc.events == 0 {
			check(t, m, f)
		} else {
			check(t, m, f, total("arn:a", tc.events))
		}
	}
}

// testOperationsApart: what is done with one resource is told apart, in order.
func testOperationsApart(t testing.TB, m Meter) {
	converse := usage(noon, "arn:a")
	converse.Operation = "Converse"
	m.Record(t.Context(), usage(noon, "arn:b"))
	m.Record(t.Context(), usage(noon, "arn:a"))
	m.Record(t.Context(), converse)
	first := total("arn:a", 1)
	first.Operation = "Converse"
	check(t, m, meter.Filter{}, first, total("arn:a", 1), total("arn:b", 1))
}

func testLargeQuantities(t testing.TB, m Meter) {
	u := outcrop.Usage{At: noon, Scope: scope, Resource: "arn:job", Operation: "ModelCustomizationJob", TrainingTokens: math.MaxInt64 / 2}
	m.Record(t.Context(), u)
	m.Record(t.Context(), u)
	check(t, m, meter.Filter{}, meter.Total{Scope: scope, Resource: "arn:job", Operation: u.Operation, Events: 2, TrainingTokens: math.MaxInt64 - 1})
}

// testOnce: an event of which there is one is counted once, whether the first is written or waits.
func testOnce(t testing.TB, m Meter) {
	job := usage(noon, "arn:job")
	job.Once = true
	for range 2 {
		m.Record(t.Context(), job)
		m.Record(t.Context(), job)
		m.Record(t.Context(), usage(noon, "arn:model"))
		if err := m.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check(t, m, meter.Filter{}, total("arn:job", 1), total("arn:model", 2))
}

// testCancelledContext: what a client used that has gone is used all the same.
func testCancelledContext(t testing.TB, m Meter) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.Record(ctx, usage(noon, "arn:a"))
	check(t, m, meter.Filter{}, total("arn:a", 1))
}

func testConcurrent(t testing.TB, m Meter) {
	const writers, events = 8, 100
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for range events {
				m.Record(t.Context(), usage(noon, "arn:all"))
				m.Record(t.Context(), usage(noon, outcrop.ARN(fmt.Sprint("arn:", i))))
			}
		})
	}
	group.Wait()
	check(t, m, meter.Filter{Resource: "arn:all"}, total("arn:all", writers*events))
	for i := range writers {
		arn := outcrop.ARN(fmt.Sprint("arn:", i))
		check(t, m, meter.Filter{Resource: arn}, total(arn, events))
	}
}
