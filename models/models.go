// Package models says which model an identifier names, where its files lie, who needs it, and when
// its files go. It is asked by whoever takes an identifier, so that one has one meaning everywhere.
//
//	identifier ─→ Find       a model, to train on or to serve       outcrop.Model
//	           ─→ Invocable  what answers, and what it is metered on outcrop.Target
//	id, ARN    ─→ Files      where a model's files are              outcrop.ModelFiles
//
// What differs from kind to kind is in the kind's own file, as a noun; New lists them. Another kind
// that can be invoked, or that owns or needs a model, is one file and one line there.
//
//	m := models.New(catalog, store, dir)
//	target, err := m.Invocable(ctx, caller.Scope(), "notes")
//
// It runs no model, and knows no API but AWS's words for what cannot be found.
package models

import (
	"context"
	"fmt"
	"path/filepath"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/internal/rows"
)

// Catalog knows the foundation models.
type Catalog interface {
	// Lookup returns the model that an id, an alias, or one of them with a suffix or as an ARN of
	// any region names.
	Lookup(id string) (outcrop.FoundationModel, bool)
}

// Models resolves identifiers. It is safe for concurrent use.
type Models struct {
	catalog Catalog
	store   outcrop.Store
	dir     string
	nouns   []noun
	deleted pause.Bell
	seen    map[string]bool // what had an owner at the last sweep; only Sweep uses it
}

// noun is what there is to know of a kind of resource. A nil function: nothing.
type noun struct {
	kind outcrop.Kind
	name string // for messages
	// find returns the model that an identifier names; it is CodeNotFound if that names none of the kind.
	find func(ctx context.Context, sc outcrop.Scope, identifier string) (*outcrop.Model, error)
	// target returns what is invoked by an identifier; errors as of find.
	target func(ctx context.Context, sc outcrop.Scope, identifier string) (outcrop.Target, error)
	// files returns where the model is that has a record.
	files func(ctx context.Context, rec outcrop.Record) (outcrop.ModelFiles, error)
	// needs returns the models without which a record is of no use, as it remembers them.
	needs func(rec outcrop.Record) ([]string, error)
	// owns returns the ids of the custom models whose files must stay because of a record.
	owns func(rec outcrop.Record) ([]string, error)
	// statuses are those in which a record needs and owns something; nil: all.
	statuses []outcrop.Status
}

// New returns the models of a catalog and a store. dir has the files of custom models: of each in a
// directory that is named by its id.
func New(catalog Catalog, store outcrop.Store, dir string) *Models {
	m := &Models{catalog: catalog, store: store, dir: dir, deleted: pause.NewBell()}
	// A name goes to the first kind that knows it. A job comes before the custom model that it
	// becomes: sweep must see one of the two.
	m.nouns = []noun{m.foundation(), m.job(), m.throughput(), m.custom()}
	return m
}

// Dir returns where the files of a custom model are, or will be.
func (m *Models) Dir(id string) string { return filepath.Join(m.dir, id) }

// Find returns the model that an identifier names in a scope: the id, alias or ARN of a foundation
// model, or the name or ARN of a custom model. A foundation model's id has a dot and a custom
// model's name has none, so that the two cannot be mistaken for each other. CodeNotFound if there
// is none, CodeValidation if it is still being trained.
func (m *Models) Find(ctx context.Context, sc outcrop.Scope, identifier string) (*outcrop.Model, error) {
	none := errUnknown(identifier)
	for _, n := range m.named(identifier) {
		if n.find == nil {
			continue
		}
		found, err := n.find(ctx, sc, identifier)
		if outcrop.CodeOf(err) != outcrop.CodeNotFound {
			return found, err
		}
		none = err
	}
	return nil, none
}

// Invocable returns what answers requests for an identifier: a foundation model on demand, or
// provisioned throughput. CodeValidation for an identifier that names nothing or that cannot be
// invoked, CodeNotFound for an ARN of nothing, CodeModelError for throughput whose model is gone.
func (m *Models) Invocable(ctx context.Context, sc outcrop.Scope, identifier string) (outcrop.Target, error) {
	p, isARN := outcrop.ParseARN(identifier)
	for _, n := range m.named(identifier) {
		if n.target == nil {
			continue
		}
		t, err := n.target(ctx, sc, identifier)
		if isARN || outcrop.CodeOf(err) != outcrop.CodeNotFound {
			return t, err
		}
	}
	if isARN {
		return outcrop.Target{}, outcrop.Errorf(outcrop.CodeValidation,
			"The provided model identifier is invalid. This server invokes foundation-model and provisioned-model ARNs, not %s.", p.Kind)
	}
	return outcrop.Target{}, outcrop.Errorf(outcrop.CodeValidation,
		"The provided model identifier is invalid. %q is neither a base model (ListFoundationModels) nor a provisioned throughput (ListProvisionedModelThroughputs) of account %s in %s.",
		identifier, sc.Account, sc.Region)
}

// named returns the kinds that an identifier may be of: an ARN says which.
func (m *Models) named(identifier string) []noun {
	p, isARN := outcrop.ParseARN(identifier)
	if !isARN {
		return m.nouns
	}
	for i, n := range m.nouns {
		if n.kind == p.Kind && p.Service == "bedrock" {
			return m.nouns[i : i+1]
		}
	}
	return nil
}

// invoked reads the row that an identifier names to whoever invokes it.
func (m *Models) invoked(ctx context.Context, kind outcrop.Kind, name string, sc outcrop.Scope, identifier string) (outcrop.Record, error) {
	if p, ok := outcrop.ParseARN(identifier); ok && p.Scope != sc {
		return outcrop.Record{}, outcrop.Errorf(outcrop.CodeNotFound,
			"Model not found. %s is not in account %s and region %s, for which the request is signed.", identifier, sc.Account, sc.Region)
	}
	rec, err := rows.Find(ctx, m.store, kind, sc, identifier)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		ref := outcrop.KeyFor(kind, sc, identifier).Ref
		return rec, outcrop.Errorf(outcrop.CodeNotFound, "Model not found. There is no %s %q; it may have been deleted.", name, ref)
	}
	if err != nil {
		err = fmt.Errorf("read the %s: %w", name, err)
	}
	return rec, err
}

// Files returns where a model is, by what a row remembers it by: Model.Ref or Model.ARN, of any
// scope. A custom model has the context of the foundation model that it goes back to. CodeNotFound
// if the model is gone, or what it goes back to; what is there is returned all the same.
func (m *Models) Files(ctx context.Context, ref string) (outcrop.ModelFiles, error) {
	if f, ok := m.catalog.Lookup(ref); ok {
		return filesOf(f), nil
	}
	for _, n := range m.nouns {
		if p, ok := outcrop.ParseARN(ref); !ok || p.Kind != n.kind || n.files == nil {
			continue
		}
		rec, err := m.store.Get(ctx, outcrop.Key{ARN: outcrop.ARN(ref)})
		if err != nil {
			return outcrop.ModelFiles{}, err
		}
		return n.files(ctx, rec)
	}
	return outcrop.ModelFiles{}, outcrop.Errorf(outcrop.CodeNotFound,
		"The model %s is no longer in the catalog: add it again with `outcrop models add`.", ref)
}

func errUnknown(identifier string) error {
	return outcrop.Errorf(outcrop.CodeNotFound,
		"Could not resolve the model from the provided model identifier %s. ListFoundationModels and ListCustomModels show what there is.", identifier)
}
