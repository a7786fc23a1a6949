package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// GetProvisionedModelThroughput returns throughput by its name or ARN.
func (s *Service) GetProvisionedModelThroughput(ctx context.Context, in *GetProvisionedModelThroughputInput) (*GetProvisionedModelThroughputOutput, error) {
	sc, err := scope(ctx)
	if err != nil {
		return nil, err
	}
	rec, err := s.find(ctx, outcrop.KindThroughput, sc, in.ProvisionedModelId)
	if err != nil {
		return nil, err
	}
	t, err := outcrop.ThroughputOf(rec)
	if err != nil {
		return nil, err
	}
	return &GetProvisionedModelThroughputOutput{
		ProvisionedModelArn:      string(t.ARN),
		ProvisionedModelName:     t.Name,
		Status:                   t.Status,
		FailureMessage:           clip(t.FailureMessage, failureMessageMax),
		ModelUnits:               t.ModelUnits,
		DesiredModelUnits:        t.ModelUnits, // no operation changes them
		ModelArn:                 string(t.ModelARN),
		DesiredModelArn:          string(t.DesiredModelARN),
		FoundationModelArn:       string(t.FoundationModelARN),
		CommitmentDuration:       t.CommitmentDuration,
		CommitmentExpirationTime: t.CommitmentExpires,
		CreationTime:             t.Created,
		LastModifiedTime:         t.Updated,
	}, nil
}
