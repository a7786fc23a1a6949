package server

import (
	"cmp"
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
func (m models) base(ctx context.Context, j *outcrop.Job) (outcrop.ModelFiles, error) {
	return m.find(ctx, j.BaseModelID)
}

// locate is a throughput.Locate, and bedrockruntime's.
func (m models) locate(ctx context.Context, model outcrop.ARN) (outcrop.ModelFiles, error) {
	return m.find(ctx, string(model))
}

// find returns where a model is. A tuned model has the context of the model that it goes back
// to. CodeNotFound if it, or the model that its adapters belong to, is gone.
func (m models) find(ctx context.Context, id string) (outcrop.ModelFiles, error) {
	if f, ok := m.catalog.Lookup(id); ok {
		return outcrop.ModelFiles{Dir: f.Dir, ContextLength: f.ContextLength}, nil
	}
	p, ok := outcrop.ParseARN(id)
	if !ok || p.Kind != outcrop.KindCustomModel {
		return outcrop.ModelFiles{}, outcrop.Errorf(outcrop.CodeNotFound,
			"The model %s is no longer in the catalog: add it again with `outcrop models add`.", id)
	}
	rec, err := m.store.Get(ctx, outcrop.Key{ARN: outcrop.ARN(id)})
	if err != nil {
		return outcrop.ModelFiles{}, err
	}
	tuned, err := outcrop.CustomModelOf(rec)
	if err != nil {
		return outcrop.ModelFiles{}, err
	}
	files := outcrop.ModelFiles{Dir: m.tuned(tuned.ID)}
	below, err := m.find(ctx, cmp.Or(tuned.AdapterOf, string(tuned.BaseModelARN)))
	if files.ContextLength = below.ContextLength; tuned.AdapterOf != "" {
		files.BaseDir = below.Dir // which is whole: no adapters are trained on adapters
	}
	return files, err
}
