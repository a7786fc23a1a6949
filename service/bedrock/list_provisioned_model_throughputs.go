package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// ListProvisionedModelThroughputs returns the throughputs that match, the newest first unless
// asked otherwise.
func (s *Service) ListProvisionedModelThroughputs(ctx context.Context, in *ListProvisionedModelThroughputsInput) (*ListProvisionedModelThroughputsOutput, error) {
	page, next, err := list(ctx, s, listing{
		kind: outcrop.KindThroughput, status: in.StatusEquals, nameContains: in.NameContains, parent: in.ModelArnEquals,
		after: in.CreationTimeAfter, before: in.CreationTimeBefore, order: in.SortOrder, max: in.MaxResults, next: in.NextToken,
	}, outcrop.ThroughputOf)
	if err != nil {
		return nil, err
	}
	return &ListProvisionedModelThroughputsOutput{NextToken: next, ProvisionedModelSummaries: each(page, throughputSummary)}, nil
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
