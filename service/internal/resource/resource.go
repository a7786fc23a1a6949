// Package resource is what the operations of every service do with every noun: find, read, list,
// create once, change, delete, tag. A service says what its nouns are and adds its own rules:
//
//	var jobs = resource.Noun[*outcrop.Job]{Kind: outcrop.KindJob, Of: outcrop.JobOf, Request: func(j *outcrop.Job) string { return j.Request }}
//
//	job, err := jobs.Get(ctx, store, in.JobIdentifier)
//	arn, err := jobs.Create(ctx, store, job, request, checkNameFree, checkQuota)
//
// It knows no noun and no service. Everything happens in the account and region of the caller, whom
// the context carries.
package resource

import (
	"context"

	"outcrop.dev/outcrop"
)

// Noun describes a durable noun, such as *outcrop.Job.
type Noun[N Recorder] struct {
	Kind    outcrop.Kind
	Of      func(outcrop.Record) (N, error)
	Request func(N) string // Request.Fingerprint of the call that created it; nil if no call creates the noun
}

// Recorder is what becomes a record.
type Recorder interface{ Record() outcrop.Record }

// Rule refuses a noun as it would be written, or its deletion, by what r reads. It is asked in the
// transaction that writes (outcrop.Change.If says what that asks of it), and perhaps before that
// too, so that work is not done in vain.
type Rule[N Recorder] func(ctx context.Context, r outcrop.Reader, n N) error

// condition is what rules ask of a change of n.
func condition[N Recorder](n N, rules []Rule[N]) func(context.Context, outcrop.Reader) error {
	if len(rules) == 0 {
		return nil
	}
	return func(ctx context.Context, r outcrop.Reader) error { return check(ctx, r, n, rules) }
}

// check returns what the first rule that refuses n says.
func check[N Recorder](ctx context.Context, r outcrop.Reader, n N, rules []Rule[N]) error {
	for _, rule := range rules {
		if err := rule(ctx, r, n); err != nil {
			return err
		}
	}
	return nil
}

// Scope returns where the caller's resources live.
func Scope(ctx context.Context) (outcrop.Scope, error) {
	c, err := outcrop.CallerOf(ctx)
	return c.Scope(), err
}

func errInvalid(format string, args ...any) error {
	return outcrop.Errorf(outcrop.CodeValidation, format, args...)
}
