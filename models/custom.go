package models

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/rows"
)

// custom is the noun of the models that jobs have made.
func (m *Models) custom() noun {
	return noun{
		kind: outcrop.KindCustomModel, name: "custom model",
		find: m.findCustom, target: m.refuseCustom, files: m.customFiles,
		needs: func(rec outcrop.Record) ([]string, error) {
			c, err := outcrop.CustomModelOf(rec)
			if err != nil {
				return nil, err
			}
			return []string{string(c.BaseModelARN), c.BaseModelID}, nil
		},
		owns: func(rec outcrop.Record) ([]string, error) { return []string{rec.ID}, nil },
	}
}

func (m *Models) findCustom(ctx context.Context, sc outcrop.Scope, identifier string) (*outcrop.Model, error) {
	rec, err := rows.Find(ctx, m.store, outcrop.KindCustomModel, sc, identifier)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return nil, m.notYet(ctx, sc, identifier)
	}
	if err != nil {
		return nil, err
	}
	found, err := m.fromRecord(rec)
	if err == nil && found.Foundation.ID == "" {
		err = outcrop.Errorf(outcrop.CodeNotFound,
			"The custom model %s was made from %s, which the catalog no longer has. Add that model again.", rec.Name, found.FoundationID)
	}
	return found, err
}

// fromRecord reads a custom model, and finds the foundation model that it goes back to: without an
// id if the catalog no longer has it.
func (m *Models) fromRecord(rec outcrop.Record) (*outcrop.Model, error) {
	c, err := outcrop.CustomModelOf(rec)
	if err != nil {
		return nil, err
	}
	p, _ := outcrop.ParseARN(string(c.BaseModelARN))
	f, _ := m.catalog.Lookup(p.Resource)
	return &outcrop.Model{Scope: c.Scope, Foundation: f, FoundationID: p.Resource, Custom: c}, nil
}

// notYet says why there is no such custom model: perhaps the job that makes it has not ended, or
// has ended badly.
func (m *Models) notYet(ctx context.Context, sc outcrop.Scope, identifier string) error {
	ref := outcrop.KeyFor(outcrop.KindCustomModel, sc, identifier).Ref
	newest, _, err := m.store.List(ctx, outcrop.Query{Kind: outcrop.KindJob, Scope: sc, Limit: outcrop.MaxPage}) // models of older jobs are told as unknown
	if err != nil {
		return err
	}
	for _, rec := range newest {
		job, err := outcrop.JobOf(rec)
		if err != nil {
			continue // damaged: it says nothing of any model
		}
		if job.CustomModelName != ref && job.CustomModelID != ref {
			continue
		}
		switch job.Status {
		case outcrop.JobInProgress, outcrop.JobStopping:
			return outcrop.Errorf(outcrop.CodeValidation, "The custom model %s is not ready: its model customization job %s is %s. Wait until the job has completed.", ref, job.Name, job.Status)
		case outcrop.JobFailed, outcrop.JobStopped:
			return outcrop.Errorf(outcrop.CodeNotFound, "There is no custom model %s: its model customization job %s is %s.", ref, job.Name, job.Status)
		}
	}
	return errUnknown(identifier)
}

// refuseCustom is why a custom model cannot be invoked itself: AWS's words, and what to do
// instead.
func (m *Models) refuseCustom(ctx context.Context, sc outcrop.Scope, identifier string) (outcrop.Target, error) {
	rec, err := m.invoked(ctx, outcrop.KindCustomModel, "custom model", sc, identifier)
	if err != nil {
		return outcrop.Target{}, err
	}
	page, _, err := m.store.List(ctx, outcrop.Query{Kind: outcrop.KindThroughput, Scope: sc, Parent: string(rec.ARN), Limit: 1})
	if err != nil {
		return outcrop.Target{}, fmt.Errorf("list the model's throughput: %w", err)
	}
	advice := fmt.Sprintf("Create provisioned throughput for it first (CreateProvisionedModelThroughput with modelId %s), and invoke that.", rec.ARN)
	if len(page) > 0 {
		advice = fmt.Sprintf("Invoke its provisioned throughput: modelId %s.", page[0].ARN)
	}
	return outcrop.Target{}, outcrop.Errorf(outcrop.CodeValidation, "Invocation of model ID %s with on-demand throughput isn’t supported. %s", identifier, advice)
}

// customFiles returns where a custom model is. Adapters lie beside a whole model: none are trained
// on adapters.
func (m *Models) customFiles(ctx context.Context, rec outcrop.Record) (outcrop.ModelFiles, error) {
	c, err := outcrop.CustomModelOf(rec)
	if err != nil {
		return outcrop.ModelFiles{}, err
	}
	files := outcrop.ModelFiles{ID: outcrop.ModelID(c.ARN), Dir: m.Dir(c.ID)}
	below, err := m.Files(ctx, cmp.Or(c.AdapterOf, string(c.BaseModelARN)))
	if files.ContextLength = below.ContextLength; c.AdapterOf != "" {
		files.BaseID, files.BaseDir = below.ID, below.Dir
	}
	return files, err
}

// Anywhere returns the model that an identifier names in any account and region, for whom the
// machine belongs to: a foundation model by id, alias or ARN, a custom model by ARN, id or name. The
// foundation model that this goes back to has no id if it is gone. CodeNotFound if there is none,
// CodeValidation if several have the name.
func (m *Models) Anywhere(ctx context.Context, identifier string) (*outcrop.Model, error) {
	if f, ok := m.catalog.Lookup(identifier); ok {
		return &outcrop.Model{Foundation: f, FoundationID: f.ID}, nil
	}
	var found []outcrop.Record
	var arns []string
	for rec, err := range rows.All(ctx, m.store.List, outcrop.Query{Kind: outcrop.KindCustomModel, AllScopes: true}) {
		if err != nil {
			return nil, err
		}
		if string(rec.ARN) == identifier || rec.ID == identifier || rec.Name == identifier {
			found, arns = append(found, rec), append(arns, string(rec.ARN))
		}
	}
	switch len(found) {
	case 0:
		return nil, outcrop.Errorf(outcrop.CodeNotFound, "There is no model %s.", identifier)
	case 1:
		return m.fromRecord(found[0])
	}
	return nil, outcrop.Errorf(outcrop.CodeValidation, "%s is the name of several custom models: give the ARN, one of %s.", identifier, strings.Join(arns, ", "))
}
