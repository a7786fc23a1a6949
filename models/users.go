package models

import (
	"context"
	"iter"
	"slices"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/rows"
)

// Spellings returns the names by which a catalog looks for an id, in turn.
type Spellings = func(id string) iter.Seq[string]

// Users returns what needs a foundation model, in any account and region: jobs that have not ended,
// custom models that were made from it, throughput that serves it; each in a few words. ids are the
// model's id and aliases; what names it in another of an id's spellings, as the catalog has them, needs
// it too.
func (m *Models) Users(ctx context.Context, spellings Spellings, ids ...string) (users []string, err error) {
	for _, n := range m.nouns {
		if n.needs == nil {
			continue
		}
		for rec, err := range m.all(ctx, n) {
			if err != nil {
				return nil, err
			}
			needed, err := n.needs(rec)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(needed, func(ref string) bool { return m.means(ref, spellings, ids) }) {
				users = append(users, "the "+n.name+" "+rec.Name)
			}
		}
	}
	return users, nil
}

// all returns the records of a kind that count, of all scopes.
func (m *Models) all(ctx context.Context, n noun) iter.Seq2[outcrop.Record, error] {
	return rows.All(ctx, m.store.List, outcrop.Query{Kind: n.kind, AllScopes: true, Statuses: n.statuses})
}

// means reports whether ref leads to a foundation model by one of ids, and not to another before.
// The model itself may be missing from the catalog: its directory may be damaged.
func (m *Models) means(ref string, spellings Spellings, ids []string) bool {
	if p, ok := outcrop.ParseARN(ref); ok {
		if p.Kind != outcrop.KindFoundationModel {
			return false
		}
		ref = p.Resource
	}
	for name := range spellings(ref) {
		if slices.Contains(ids, name) {
			return true
		}
		if f, ok := m.catalog.Lookup(name); ok && (f.ID == name || slices.Contains(f.Aliases, name)) {
			return false
		}
	}
	return false
}
