// Package rows reads and changes what a Store keeps, for every room that does so: one record by what
// a caller calls it, all that a query selects, and a change that begins again when another came between.
//
//	rec, err := rows.Find(ctx, store, outcrop.KindCustomModel, scope, "my-model")
package rows

import (
	"context"
	"errors"
	"iter"

	"outcrop.dev/outcrop"
)

// Find reads the record of a kind that an identifier names in a scope; KeyFor tells the forms.
// CodeNotFound if there is none, if it is another kind's or another scope's, and for an ARN that
// only ends like the record's own.
func Find(ctx context.Context, r outcrop.Reader, kind outcrop.Kind, scope outcrop.Scope, identifier string) (outcrop.Record, error) {
	key := outcrop.KeyFor(kind, scope, identifier)
	none := outcrop.Errorf(outcrop.CodeNotFound, "There is no %s %s in account %s, region %s.", kind, identifier, scope.Account, scope.Region)
	if key.Kind != kind || key.Scope != scope {
		return outcrop.Record{}, none
	}
	rec, err := r.Get(ctx, key)
	if err != nil {
		return outcrop.Record{}, err
	}
	p, isARN := outcrop.ParseARN(identifier)
	if isARN && identifier != string(rec.ARN) && p.Resource != rec.Name && p.Resource != rec.ID {
		return outcrop.Record{}, none
	}
	return rec, nil
}

// All returns every record that q selects, read from list (Store.List, or what has its form) page
// by page. An error ends it: it comes with a Record of zeros.
func All(ctx context.Context, list func(context.Context, outcrop.Query) ([]outcrop.Record, string, error), q outcrop.Query) iter.Seq2[outcrop.Record, error] {
	q.Limit = outcrop.MaxPage
	return func(yield func(outcrop.Record, error) bool) {
		for {
			page, next, err := list(ctx, q)
			if err != nil {
				yield(outcrop.Record{}, err)
				return
			}
			for _, rec := range page {
				if !yield(rec, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			q.Next = next
		}
	}
}

// editTriesMax bounds how often Edit begins again. Workers write a job's row every few seconds, so
// that even two collisions in a row are rare.
const editTriesMax = 20

// Edit reads the record that key names, asks f what is to be written, and applies it in one
// transaction. When another write came between, it begins again with what that has left, so f is
// to depend on its argument alone. If f returns no changes nothing is written. Errors: those of
// Get, f and Apply; CodeThrottling, and ErrStale in its chain, when it was always too late.
func Edit(ctx context.Context, s outcrop.Store, key outcrop.Key, f func(outcrop.Record) ([]outcrop.Change, error)) error {
	var err error
	for range editTriesMax {
		var rec outcrop.Record
		if rec, err = s.Get(ctx, key); err != nil {
			return err
		}
		var changes []outcrop.Change
		if changes, err = f(rec); err != nil || len(changes) == 0 {
			return err
		}
		if err = s.Apply(ctx, changes...); !errors.Is(err, outcrop.ErrStale) {
			return err
		}
	}
	return &outcrop.Error{Code: outcrop.CodeThrottling, Msg: "The resource is being changed too often to change it now. Try again.", Err: err}
}
