package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// DeleteCustomModel deletes a custom model by its name or ARN. A model that a throughput
// serves, that a job in progress starts from, or that adapters belong to, is a conflict.
func (s *Service) DeleteCustomModel(ctx context.Context, in *DeleteCustomModelInput) (*DeleteCustomModelOutput, error) {
	sc, err := scope(ctx)
	if err != nil {
		return nil, err
	}
	s.admission.Lock()
	defer s.admission.Unlock()
	err = s.remove(ctx, outcrop.KindCustomModel, sc, in.ModelIdentifier, func(rec *outcrop.Record) error { return s.unused(ctx, rec.Meta) })
	return &DeleteCustomModelOutput{}, err
}

// unused checks that nothing needs a model's files.
func (s *Service) unused(ctx context.Context, m outcrop.Meta) error {
	throughputs, err := all(ctx, s, outcrop.Query{Kind: outcrop.KindThroughput, Scope: m.Scope}, outcrop.ThroughputOf)
	if err != nil {
		return err
	}
	for _, t := range throughputs {
		if t.ModelARN == m.ARN || t.DesiredModelARN == m.ARN {
			return outcrop.Errorf(outcrop.CodeConflict, "The custom model %s is in use by the provisioned model throughput %s. Delete that one first.", m.Name, t.Name)
		}
	}
	jobs, err := s.liveJobs(ctx, m.Scope)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.Parent == string(m.ARN) {
			return outcrop.Errorf(outcrop.CodeConflict, "The custom model %s is the base of the model customization job %s. Wait until that one has ended, or stop it.", m.Name, j.Name)
		}
	}
	models, err := all(ctx, s, outcrop.Query{Kind: outcrop.KindCustomModel, Scope: m.Scope}, outcrop.CustomModelOf)
	if err != nil {
		return err
	}
	for _, other := range models {
		if other.AdapterOf == string(m.ARN) {
			return outcrop.Errorf(outcrop.CodeConflict, "The custom model %s is needed by the adapters of the custom model %s. Delete that one first.", m.Name, other.Name)
		}
	}
	return nil
}
