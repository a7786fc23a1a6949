package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// GetFoundationModel returns a foundation model by its id, one of its aliases, or its ARN.
func (s *Service) GetFoundationModel(ctx context.Context, in *GetFoundationModelInput) (*GetFoundationModelOutput, error) {
	sc, err := scope(ctx)
	if err != nil {
		return nil, err
	}
	id := in.ModelIdentifier
	if p, ok := outcrop.ParseARN(id); ok {
		id = p.Resource
	}
	f, ok := s.foundation(id)
	if !ok {
		return nil, unknownFoundation(in.ModelIdentifier)
	}
	details := FoundationModelDetails(foundationSummary(sc, f, id))
	return &GetFoundationModelOutput{ModelDetails: &details}, nil
}
