package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// ListProvisionedModelThroughputs returns the throughputs that match, the newest first unless
// asked otherwise.
func (s *Service) ListProvisionedModelThroughputs(ctx context.Context, in *ListProvisionedModelThroughputsInput) (*ListProvisionedModelThroughputsOutput, error) {
	page, next, err := throughputs.List(ctx, s.log, s.store, resource.Listing{
		Status: outcrop.Status(in.StatusEquals), NameContains: in.NameContains, Parent: in.ModelArnEquals,
		After: in.CreationTimeAfter, Before: in.CreationTimeBefore, Order: in.SortOrder, Max: in.MaxResults, Next: in.NextToken,
	})
	if err != nil {
		return nil, err
	}
	return &ListProvisionedModelThroughputsOutput{NextToken: next, ProvisionedModelSummaries: resource.Each(page, throughputSummary)}, nil
}

func throughputSummary(t *outcrop.Throughput) ProvisionedModelSummary {
	return ProvisionedModelSummary{
		ProvisionedModelArn:      string(t.ARN),
		ProvisionedModelName:     t.Name,
		Status:                   string(t.Status),
		ModelUnits:               t.ModelUnits,
		DesiredModelUnits:        t.ModelUnits,
		ModelArn:                 string(t.ModelARN),
		DesiredModelArn:          string(t.DesiredModelARN),
		FoundationModelArn:       string(t.FoundationModelARN),
		CommitmentDuration:       t.CommitmentDuration,
		CommitmentExpirationTime: t.CommitmentExpires,
		CreationTime:             t.Created,
		LastModifiedTime:         t.Updated,
	}
}
