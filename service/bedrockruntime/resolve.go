package bedrockruntime

import (
	"context"
	"fmt"

	"outcrop.dev/outcrop"
)

// resolve finds what modelID names for the caller: a base model by id, alias or ARN, or a
// throughput by name, id or ARN. CodeValidation for an identifier that names nothing or
// that cannot be invoked, CodeNotFound for an ARN of nothing.
func (s *Service) resolve(ctx context.Context, modelID string) (outcrop.Target, error) {
	caller, err := outcrop.CallerOf(ctx)
	if err != nil {
		return outcrop.Target{}, err
	}
	scope := caller.Scope()
	if p, ok := outcrop.ParseARN(modelID); ok {
		return s.resolveARN(ctx, scope, modelID, p)
	}
	if m, ok := s.catalog.Lookup(modelID); ok {
		return foundation(scope, m), nil
	}
	t, err := s.throughput(ctx, scope, outcrop.KeyFor(outcrop.KindThroughput, scope, modelID))
	if outcrop.CodeOf(err) != outcrop.CodeNotFound {
		return t, err
	}
	err = s.onDemand(ctx, scope, outcrop.KeyFor(outcrop.KindCustomModel, scope, modelID), modelID)
	if outcrop.CodeOf(err) != outcrop.CodeNotFound {
		return outcrop.Target{}, err
	}
	return outcrop.Target{}, outcrop.Errorf(outcrop.CodeValidation,
		"The provided model identifier is invalid. %q is neither a base model (ListFoundationModels) nor a provisioned throughput (ListProvisionedModelThroughputs) of account %s in %s.",
		shorten(modelID), scope.Account, scope.Region)
}

func (s *Service) resolveARN(ctx context.Context, scope outcrop.Scope, modelID string, p outcrop.ParsedARN) (outcrop.Target, error) {
	if p.Kind == outcrop.KindFoundationModel {
		m, ok := s.catalog.Lookup(p.Resource)
		if !ok {
			return outcrop.Target{}, outcrop.Errorf(outcrop.CodeNotFound,
				"Could not resolve the foundation model from the provided model identifier. ListFoundationModels tells those that this server has.")
		}
		return foundation(scope, m), nil
	}
	key := outcrop.KeyFor(p.Kind, scope, modelID)
	switch {
	case p.Service != "bedrock" || p.Kind != outcrop.KindThroughput && p.Kind != outcrop.KindCustomModel:
		return outcrop.Target{}, outcrop.Errorf(outcrop.CodeValidation,
			"The provided model identifier is invalid. This server invokes foundation-model and provisioned-model ARNs, not %s.", shorten(string(p.Kind)))
	case p.Scope != scope:
		return outcrop.Target{}, outcrop.Errorf(outcrop.CodeNotFound,
			"Model not found. %s is not in account %s and region %s, for which the request is signed.", shorten(modelID), scope.Account, scope.Region)
	case p.Kind == outcrop.KindThroughput:
		return s.throughput(ctx, scope, key)
	}
	return outcrop.Target{}, s.onDemand(ctx, scope, key, modelID)
}

// onDemandUnits is how many model units a base model on demand has: together they fill the places
// of the engine (32 requests at once), as whoever asks on demand may use the whole machine.
const onDemandUnits = 4

// foundation returns the base model m, on demand.
func foundation(scope outcrop.Scope, m outcrop.FoundationModel) outcrop.Target {
	return outcrop.Target{
		Scope: scope, Resource: scope.ARN(outcrop.KindFoundationModel, m.ID), Units: onDemandUnits,
		Files: outcrop.ModelFiles{Dir: m.Dir, ContextLength: m.ContextLength}, Dialect: m.Dialect,
	}
}

// throughput returns the model that a throughput serves, ready or not.
func (s *Service) throughput(ctx context.Context, scope outcrop.Scope, key outcrop.Key) (outcrop.Target, error) {
	rec, err := s.store.Get(ctx, key)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return outcrop.Target{}, outcrop.Errorf(outcrop.CodeNotFound,
			"Model not found. There is no provisioned throughput %q; it may have been deleted.", shorten(key.Ref))
	} else if err != nil {
		return outcrop.Target{}, fmt.Errorf("read the throughput: %w", err)
	}
	th, err := outcrop.ThroughputOf(rec)
	if err != nil {
		return outcrop.Target{}, err
	}
	t := outcrop.Target{
		Scope: scope, Resource: th.ARN, Units: th.ModelUnits,
		Throughput: outcrop.Key{Kind: outcrop.KindThroughput, Scope: scope, Ref: th.ID},
	}
	return t, s.servedBy(ctx, th, &t)
}

// servedBy fills in the model that th serves now.
func (s *Service) servedBy(ctx context.Context, th *outcrop.Throughput, t *outcrop.Target) error {
	base := th.FoundationModelARN
	p, _ := outcrop.ParseARN(string(th.ModelARN))
	if p.Kind == outcrop.KindCustomModel {
		m, err := s.customModel(ctx, outcrop.KeyFor(p.Kind, p.Scope, string(th.ModelARN)))
		if outcrop.CodeOf(err) == outcrop.CodeNotFound {
			return outcrop.Errorf(outcrop.CodeModelError,
				"The custom model %s of provisioned throughput %s has been deleted. Delete the throughput too.", th.ModelARN, th.Name)
		} else if err != nil {
			return fmt.Errorf("read the model of %s: %w", th.ARN, err)
		}
		if t.Files, err = s.locate(ctx, m.ARN); err != nil {
			return fmt.Errorf("find the model of %s: %w", th.ARN, err)
		}
	} else {
		base = th.ModelARN
	}
	p, _ = outcrop.ParseARN(string(base))
	m, ok := s.catalog.Lookup(p.Resource)
	if !ok {
		return outcrop.Errorf(outcrop.CodeModelError,
			"The base model %s of provisioned throughput %s is no longer in this server's catalog. Add it again, or delete the throughput.", base, th.Name)
	}
	if t.Files.Dir == "" {
		t.Files = outcrop.ModelFiles{Dir: m.Dir, ContextLength: m.ContextLength}
	}
	t.Dialect = m.Dialect
	return nil
}

func (s *Service) customModel(ctx context.Context, key outcrop.Key) (*outcrop.CustomModel, error) {
	rec, err := s.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return outcrop.CustomModelOf(rec)
}

// onDemand returns the error for invoking a custom model itself: AWS's words, and what to
// do instead. CodeNotFound if there is no such model.
func (s *Service) onDemand(ctx context.Context, scope outcrop.Scope, key outcrop.Key, modelID string) error {
	m, err := s.customModel(ctx, key)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return outcrop.Errorf(outcrop.CodeNotFound, "Model not found. There is no custom model %q; it may have been deleted.", shorten(key.Ref))
	} else if err != nil {
		return fmt.Errorf("read the custom model: %w", err)
	}
	page, _, err := s.store.List(ctx, outcrop.Query{Kind: outcrop.KindThroughput, Scope: scope, Parent: string(m.ARN), Limit: 1})
	if err != nil {
		return fmt.Errorf("list the model's throughput: %w", err)
	}
	advice := fmt.Sprintf("Create provisioned throughput for it first (CreateProvisionedModelThroughput with modelId %s), and invoke that.", m.ARN)
	if len(page) > 0 {
		advice = fmt.Sprintf("Invoke its provisioned throughput: modelId %s.", page[0].ARN)
	}
	return outcrop.Errorf(outcrop.CodeValidation, "Invocation of model ID %s with on-demand throughput isn’t supported. %s", shorten(modelID), advice)
}
