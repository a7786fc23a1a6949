package resource

import (
	"context"

	"outcrop.dev/outcrop"
)

// Find returns the record that an identifier names: a name, an id, an ARN, or an ARN with a name
// where the id belongs. CodeNotFound if there is none in this account and region; resources of
// others are not told from missing ones.
func Find(ctx context.Context, r outcrop.Reader, kind outcrop.Kind, sc outcrop.Scope, identifier string) (outcrop.Record, error) {
	key := outcrop.KeyFor(kind, sc, identifier)
	if key.Kind != kind || key.Scope != sc {
		return outcrop.Record{}, errMissing(kind, sc, identifier)
	}
	rec, err := r.Get(ctx, key)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound || err == nil && !names(identifier, rec.Meta) {
		return outcrop.Record{}, errMissing(kind, sc, identifier)
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

// names reports whether identifier, by which m was found, agrees with m in full: an ARN with
// the right id behind another base model is not m's.
func names(identifier string, m outcrop.Meta) bool {
	p, ok := outcrop.ParseARN(identifier)
	return !ok || identifier == string(m.ARN) || p.Resource == m.Name || p.Resource == m.ID
}

func errMissing(kind outcrop.Kind, sc outcrop.Scope, identifier string) error {
	return outcrop.Errorf(outcrop.CodeNotFound, "The %s %s does not exist in account %s, region %s. Check its name or ARN and the region.",
		kind.Noun(), identifier, sc.Account, sc.Region)
}
