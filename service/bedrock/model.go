package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// model is a model that a request names: a foundation model, or a custom model with the
// foundation model that it goes back to.
type model struct {
	foundation   outcrop.FoundationModel
	foundationID string               // as the caller, or the one who made the custom model, named it
	custom       *outcrop.CustomModel // nil for the foundation model itself
	scope        outcrop.Scope
}

// arn returns the ARN of the model itself.
func (m *model) arn() outcrop.ARN {
	if m.custom != nil {
		return m.custom.ARN
	}
	return m.foundationARN()
}

// id returns what a job remembers the model by: a catalog id, or a custom model's ARN.
func (m *model) id() string {
	if m.custom != nil {
		return string(m.custom.ARN)
	}
	return m.foundationID
}

// files returns where a model's files are.
func (s *Service) files(ctx context.Context, m *model) (outcrop.ModelFiles, error) {
	f := outcrop.ModelFiles{Dir: m.foundation.Dir, ContextLength: m.foundation.ContextLength}
	if m.custom == nil {
		return f, nil
	}
	if f.Dir = s.modelDir(m.custom.ID); m.custom.AdapterOf == "" {
		return f, nil
	}
	base, err := s.findModel(ctx, m.scope, m.custom.AdapterOf)
	if err != nil {
		return f, err
	}
	below, err := s.files(ctx, base)
	f.BaseDir = below.Dir
	return f, err
}

func (m *model) foundationARN() outcrop.ARN {
	return m.scope.ARN(outcrop.KindFoundationModel, m.foundationID)
}

// findModel resolves an identifier: the id, alias or ARN of a foundation model, or the name
// or ARN of a custom model. A foundation model's id has a dot and a custom model's name has
// none, so that the two cannot be mistaken for each other.
func (s *Service) findModel(ctx context.Context, sc outcrop.Scope, identifier string) (*model, error) {
	if m, ok := s.foundationIn(sc, identifier); ok {
		return m, nil
	}
	if p, ok := outcrop.ParseARN(identifier); ok && p.Kind != outcrop.KindCustomModel {
		return nil, unknownModel(identifier)
	}
	rec, err := resource.Find(ctx, s.store, outcrop.KindCustomModel, sc, identifier)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return nil, s.notYetModel(ctx, sc, identifier)
	}
	if err != nil {
		return nil, err
	}
	return s.customModel(rec)
}

// foundationIn looks up the foundation model that an identifier names: its id, or its ARN in
// the region of the request.
func (s *Service) foundationIn(sc outcrop.Scope, identifier string) (*model, bool) {
	id := identifier
	if p, ok := outcrop.ParseARN(identifier); ok {
		if p.Kind != outcrop.KindFoundationModel || p.Region != sc.Region {
			return nil, false
		}
		id = p.Resource
	}
	f, ok := s.catalog.Lookup(id)
	return &model{foundation: f, foundationID: id, scope: sc}, ok
}

// customModel reads a custom model's record and finds the foundation model that it goes back to.
func (s *Service) customModel(rec outcrop.Record) (*model, error) {
	c, err := outcrop.CustomModelOf(rec)
	if err != nil {
		return nil, err
	}
	p, _ := outcrop.ParseARN(string(c.BaseModelARN))
	f, ok := s.catalog.Lookup(p.Resource)
	if !ok {
		return nil, outcrop.Errorf(outcrop.CodeNotFound,
			"The custom model %s was made from %s, which the catalog no longer has. Add that model again.", c.Name, p.Resource)
	}
	return &model{foundation: f, foundationID: p.Resource, custom: c, scope: c.Scope}, nil
}

// foundation resolves the id, alias or ARN of a foundation model.
func (s *Service) foundation(ctx context.Context, identifier string) (*model, error) {
	sc, err := resource.Scope(ctx)
	if err != nil {
		return nil, err
	}
	if m, ok := s.foundationIn(sc, identifier); ok {
		return m, nil
	}
	return nil, outcrop.Errorf(outcrop.CodeNotFound,
		"Could not resolve the foundation model from the provided model identifier %s. ListFoundationModels shows what there is.", identifier)
}

func unknownModel(identifier string) error {
	return outcrop.Errorf(outcrop.CodeNotFound,
		"Could not resolve the model from the provided model identifier %s. ListFoundationModels and ListCustomModels show what there is.", identifier)
}

// notYetModel says why there is no such custom model: perhaps the job that makes it has not
// ended, or has ended badly.
func (s *Service) notYetModel(ctx context.Context, sc outcrop.Scope, identifier string) error {
	ref := outcrop.KeyFor(outcrop.KindCustomModel, sc, identifier).Ref
	q := outcrop.Query{Kind: outcrop.KindJob, Scope: sc, Limit: outcrop.MaxPage}
	newest, _, err := s.store.List(ctx, q) // models of older jobs are told as unknown
	if err != nil {
		return err
	}
	for _, rec := range newest {
		job, err := outcrop.JobOf(rec)
		if err != nil {
			return err
		}
		if job.CustomModelName != ref && job.CustomModelID != ref {
			continue
		}
		switch job.Status {
		case outcrop.JobInProgress, outcrop.JobStopping:
			return errInvalid("The custom model %s is not ready: its model customization job %s is %s. Wait until the job has completed.", ref, job.Name, job.Status)
		case outcrop.JobFailed, outcrop.JobStopped:
			return outcrop.Errorf(outcrop.CodeNotFound, "There is no custom model %s: its model customization job %s is %s.", ref, job.Name, job.Status)
		}
	}
	return unknownModel(identifier)
}
