package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// Models knows which models there are, by whatever names them.
type Models interface {
	// Find returns the model that an identifier names in a scope: a foundation model or a custom
	// model. CodeNotFound if there is none, CodeValidation if it is still being trained.
	Find(ctx context.Context, sc outcrop.Scope, identifier string) (*outcrop.Model, error)
	// Foundation is Find for foundation models alone.
	Foundation(sc outcrop.Scope, identifier string) (*outcrop.Model, error)
	// Files returns where a model is, by its Ref.
	Files(ctx context.Context, ref string) (outcrop.ModelFiles, error)
}

// foundation returns the foundation model that an identifier names for the caller.
func (s *Service) foundation(ctx context.Context, identifier string) (*outcrop.Model, error) {
	sc, err := resource.Scope(ctx)
	if err != nil {
		return nil, err
	}
	return s.models.Foundation(sc, identifier)
}
