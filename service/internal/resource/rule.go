package resource

import (
	"context"

	"outcrop.dev/outcrop"
)

// CheckFree returns taken if a record has the name, or the id, of key.
func CheckFree(ctx context.Context, r outcrop.Reader, key outcrop.Key, taken error) error {
	switch _, err := r.Get(ctx, key); {
	case err == nil:
		return taken
	case outcrop.CodeOf(err) != outcrop.CodeNotFound:
		return err
	}
	return nil
}

// CheckQuota refuses n of what, the new one counted, where there may be most. todo is a sentence
// that says how to make room.
func CheckQuota(n, most int, what, todo string) error {
	if n > most {
		return outcrop.Errorf(outcrop.CodeQuotaExceeded, "The account has reached its quota of %d %s. %s", most, what, todo)
	}
	return nil
}

// CheckThere refuses what needs a resource that is there no longer. CodeNotFound. Foundation
// models are not among the records, and are not looked for.
func CheckThere(ctx context.Context, r outcrop.Reader, arn outcrop.ARN) error {
	p, ok := outcrop.ParseARN(string(arn))
	if ok && p.Kind == outcrop.KindFoundationModel {
		return nil
	}
	_, err := Find(ctx, r, p.Kind, p.Scope, string(arn))
	return err
}

// CheckUnused refuses to delete what another resource needs. A resource needs its parent as long
// as it is there; except has a rule of their own for the kinds of which that is not so.
func CheckUnused[N Recorder](ctx context.Context, r outcrop.Reader, noun N, except map[outcrop.Kind]Rule[N]) error {
	for kind := range outcrop.Kinds() {
		rule := except[kind]
		if rule == nil {
			rule = checkChildless[N](kind)
		}
		if err := rule(ctx, r, noun); err != nil {
			return err
		}
	}
	return nil
}

// checkChildless refuses a noun that is a parent of one of a kind.
func checkChildless[N Recorder](kind outcrop.Kind) Rule[N] {
	return func(ctx context.Context, r outcrop.Reader, noun N) error {
		m := noun.Record().Meta
		children, _, err := r.List(ctx, outcrop.Query{Kind: kind, Scope: m.Scope, Parent: string(m.ARN), Limit: 1})
		if err != nil || len(children) == 0 {
			return err
		}
		return ErrInUse(m, children[0].Meta)
	}
}

// ErrInUse returns the error for deleting what user needs.
func ErrInUse(m, user outcrop.Meta) error {
	return outcrop.Errorf(outcrop.CodeConflict, "The %s %s is in use by the %s %s. Delete that one first.", m.Kind.Noun(), m.Name, user.Kind.Noun(), user.Name)
}
