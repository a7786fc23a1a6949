package bedrock

import "context"

// What there is of a model that is there at all (AgreementStatus, AuthorizationStatus,
// EntitlementAvailability, RegionAvailability).
const (
	available  = "AVAILABLE"
	authorized = "AUTHORIZED"
)

// GetFoundationModelAvailability says that a model of the catalog may be used: on one's own
// machine there is nobody to ask for access.
func (s *Service) GetFoundationModelAvailability(ctx context.Context, in *GetFoundationModelAvailabilityInput) (*GetFoundationModelAvailabilityOutput, error) {
	if _, err := s.foundation(ctx, in.ModelId); err != nil {
		return nil, err
	}
	return &GetFoundationModelAvailabilityOutput{
		ModelId:                 in.ModelId,
		AgreementAvailability:   &AgreementAvailability{Status: available},
		AuthorizationStatus:     authorized,
		EntitlementAvailability: available,
		RegionAvailability:      available,
	}, nil
}
