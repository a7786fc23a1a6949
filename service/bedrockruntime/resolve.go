package bedrockruntime

import (
	"context"
	"fmt"

	"outcrop.dev/outcrop"
)

// Models knows what can be invoked.
type Models interface {
	// Invocable returns what answers for an identifier in a scope: a base model by id, alias or
	// ARN, or a throughput by name, id or ARN. CodeValidation for an identifier that names nothing
	// or that cannot be invoked, CodeNotFound for an ARN of nothing, CodeModelError if the model of
	// a throughput is gone.
	Invocable(ctx context.Context, sc outcrop.Scope, identifier string) (outcrop.Target, error)
}

// resolve returns what modelID names for the caller, and the dialect of its bodies.
func (s *Service) resolve(ctx context.Context, modelID string) (outcrop.Target, dialect, error) {
	caller, err := outcrop.CallerOf(ctx)
	if err != nil {
		return outcrop.Target{}, nil, err
	}
	t, err := s.models.Invocable(ctx, caller.Scope(), modelID)
	if err != nil {
		return t, nil, err
	}
	d, ok := dialects[t.Dialect]
	if !ok {
		err = fmt.Errorf("the model of %s has the body dialect %q, which is not known", t.Resource, t.Dialect)
	}
	return t, d, err
}
