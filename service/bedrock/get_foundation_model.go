package bedrock

import "context"

// GetFoundationModel returns a foundation model by its id, one of its aliases, or its ARN.
func (s *Service) GetFoundationModel(ctx context.Context, in *GetFoundationModelInput) (*GetFoundationModelOutput, error) {
	m, err := s.foundation(ctx, in.ModelIdentifier)
	if err != nil {
		return nil, err
	}
	details := FoundationModelDetails(foundationSummary(m.Scope, m.Foundation, m.FoundationID))
	return &GetFoundationModelOutput{ModelDetails: &details}, nil
}
