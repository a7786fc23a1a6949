package resource

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/rows"
)

// Edit lets change alter the noun that an identifier names, and writes it if the rules agree. When
// another write came between, it begins again with what that has left. Errors: those of Find,
// change, the rules and rows.Edit; CodeConflict if a new name is taken.
func (k Noun[N]) Edit(ctx context.Context, s outcrop.Store, identifier string, change func(N) error, rules ...Rule[N]) error {
	return edit(ctx, s, k.Kind, identifier, func(rec outcrop.Record) (outcrop.Change, error) {
		noun, err := k.Of(rec)
		if err != nil {
			return outcrop.Change{}, err
		}
		if err := change(noun); err != nil {
			return outcrop.Change{}, err
		}
		return outcrop.Change{Op: outcrop.OpUpdate, Record: noun.Record(), If: condition(noun, rules)}, nil
	})
}

// Delete deletes the noun that an identifier names, if the rules agree. Of one that cannot be read
// there is nothing to judge: it goes. Errors as Edit.
func (k Noun[N]) Delete(ctx context.Context, s outcrop.Store, identifier string, rules ...Rule[N]) error {
	return edit(ctx, s, k.Kind, identifier, func(rec outcrop.Record) (outcrop.Change, error) {
		noun, err := k.Of(rec)
		if outcrop.ReasonOf(err) == outcrop.ReasonUnreadable {
			return outcrop.Change{Op: outcrop.OpDelete, Record: rec}, nil
		}
		return outcrop.Change{Op: outcrop.OpDelete, Record: rec, If: condition(noun, rules)}, err
	})
}

// edit makes one change of the caller's record that an identifier names. It goes by the ARN once it
// has found it: a name may be another's when it begins again.
func edit(ctx context.Context, s outcrop.Store, kind outcrop.Kind, identifier string, f func(outcrop.Record) (outcrop.Change, error)) error {
	sc, err := Scope(ctx)
	if err != nil {
		return err
	}
	found, err := Find(ctx, s, kind, sc, identifier)
	if err != nil {
		return err
	}
	return rows.Edit(ctx, s, outcrop.Key{ARN: found.ARN}, func(rec outcrop.Record) ([]outcrop.Change, error) {
		rec.Lease = outcrop.Lease{} // whoever works on it does not keep its owner from changing it
		c, err := f(rec)
		return []outcrop.Change{c}, err
	})
}
