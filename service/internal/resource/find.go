package resource

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/rows"
)

// Find returns the record that an identifier names: a name, an id, an ARN, or an ARN with a name
// where the id belongs. CodeNotFound if there is none in this account and region; resources of
// others are not told from missing ones.
func Find(ctx context.Context, r outcrop.Reader, kind outcrop.Kind, sc outcrop.Scope, identifier string) (outcrop.Record, error) {
	rec, err := rows.Find(ctx, r, kind, sc, identifier)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		err = errMissing(kind, sc, identifier)
	}
	return rec, err
}

// Get returns the noun that an identifier names for the caller. CodeNotFound as Find.
func (k Noun[N]) Get(ctx context.Context, r outcrop.Reader, identifier string) (noun N, err error) {
	sc, err := Scope(ctx)
	if err != nil {
		return noun, err
	}
	rec, err := Find(ctx, r, k.Kind, sc, identifier)
	if err != nil {
		return noun, err
	}
	return k.Of(rec)
}

func errMissing(kind outcrop.Kind, sc outcrop.Scope, identifier string) error {
	return outcrop.Errorf(outcrop.CodeNotFound, "The %s %s does not exist in account %s, region %s. Check its name or ARN and the region.",
		kind.Noun(), identifier, sc.Account, sc.Region)
}
