package server

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/catalog"
)

// models finds the files of a model by its ARN or catalog id, whether it came with a
// directory or was tuned here.
type models struct {
	catalog *catalog.Catalog
	store   outcrop.Store
	tuned   func(id string) string // the directory of a tuned model
}

// base is a job.BaseModel: BaseModelID is a catalog id or a custom model's ARN.
func (m models) base(ctx context.Context, j *outcrop.Job) (dir string, contextLength int, err error) {
	return m.find(ctx, j.BaseModelID)
}

// dir returns the directory of the model that a throughput serves.
func (m models) dir(ctx context.Context, model outcrop.ARN) (string, error) {
	dir, _, err := m.find(ctx, string(model))
	return dir, err
}

// find returns a model's directory and context length. A tuned model has the context of the
// model that it goes back to. CodeNotFound if it is gone.
func (m models) find(ctx context.Context, id string) (dir string, contextLength int, err error) {
	if f, ok := m.catalog.Lookup(id); ok {
		return f.Dir, f.ContextLength, nil
	}
	p, ok := outcrop.ParseARN(id)
	if !ok || p.Kind != outcrop.KindCustomModel {
		return "", 0, outcrop.Errorf(outcrop.CodeNotFound,
			"The model %s is no longer in the catalog: add it again with `outcrop models add`.", id)
	}
	rec, err := m.store.Get(ctx, outcrop.Key{ARN: outcrop.ARN(id)})
	if err != nil {
		return "", 0, err
	}
	tuned, err := outcrop.CustomModelOf(rec)
	if err != nil {
		return "", 0, err
	}
	_, contextLength, err = m.find(ctx, string(tuned.BaseModelARN))
	return m.tuned(tuned.ID), contextLength, err
}
