package models

import (
	"context"

	"outcrop.dev/outcrop"
)

// onDemandUnits is how many model units a foundation model on demand has: together they fill the
// places of the engine (32 requests at once), as whoever asks on demand may use the whole machine.
const onDemandUnits = 4

// foundation is the noun of the catalog's models, which have no rows.
func (m *Models) foundation() noun {
	return noun{
		kind: outcrop.KindFoundationModel,
		find: func(_ context.Context, sc outcrop.Scope, identifier string) (*outcrop.Model, error) {
			if found, ok := m.lookup(sc, identifier); ok {
				return found, nil
			}
			return nil, errUnknown(identifier)
		},
		target: m.onDemand,
	}
}

// onDemand returns what answers for a foundation model: the whole machine.
func (m *Models) onDemand(_ context.Context, sc outcrop.Scope, identifier string) (outcrop.Target, error) {
	if p, ok := outcrop.ParseARN(identifier); ok && p.Account != "" {
		return outcrop.Target{}, outcrop.Errorf(outcrop.CodeValidation,
			"The provided model identifier is invalid. Foundation models belong to no account: leave out %s.", p.Account)
	}
	found, ok := m.lookup(sc, identifier)
	if !ok {
		return outcrop.Target{}, outcrop.Errorf(outcrop.CodeNotFound,
			"Could not resolve the foundation model from the provided model identifier. ListFoundationModels tells those that this server has.")
	}
	f := found.Foundation
	return outcrop.Target{
		Scope: sc, Resource: sc.ARN(outcrop.KindFoundationModel, f.ID), Units: onDemandUnits, Files: filesOf(f), Dialect: f.Dialect,
	}, nil
}

// Foundation returns the foundation model that an identifier names in a scope: its id, alias or
// ARN. CodeNotFound if there is none.
func (m *Models) Foundation(sc outcrop.Scope, identifier string) (*outcrop.Model, error) {
	if found, ok := m.lookup(sc, identifier); ok {
		return found, nil
	}
	return nil, outcrop.Errorf(outcrop.CodeNotFound,
		"Could not resolve the foundation model from the provided model identifier %s. ListFoundationModels shows what there is.", identifier)
}

// lookup finds a foundation model. Its ARN must be the one that it has in the scope: another
// region has models of its own, and none belongs to an account.
func (m *Models) lookup(sc outcrop.Scope, identifier string) (*outcrop.Model, bool) {
	id := identifier
	if p, ok := outcrop.ParseARN(identifier); ok {
		if id = p.Resource; identifier != string(sc.ARN(outcrop.KindFoundationModel, id)) {
			return nil, false
		}
	}
	f, ok := m.catalog.Lookup(id)
	return &outcrop.Model{Scope: sc, Foundation: f, FoundationID: id}, ok
}

func filesOf(f outcrop.FoundationModel) outcrop.ModelFiles {
	return outcrop.ModelFiles{ID: f.FilesID, Dir: f.Dir, ContextLength: f.ContextLength}
}
