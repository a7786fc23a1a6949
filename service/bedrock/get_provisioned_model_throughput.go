package bedrock

import "context"

// GetProvisionedModelThroughput returns throughput by its name or ARN.
func (s *Service) GetProvisionedModelThroughput(ctx context.Context, in *GetProvisionedModelThroughputInput) (*GetProvisionedModelThroughputOutput, error) {
	t, err := throughputs.Get(ctx, s.store, in.ProvisionedModelId)
	if err != nil {
		return nil, err
	}
	return &GetProvisionedModelThroughputOutput{
		ProvisionedModelArn:      string(t.ARN),
		ProvisionedModelName:     t.Name,
		Status:                   string(t.Status),
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
