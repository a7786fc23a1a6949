package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// ListProvisionedModelThroughputs returns the throughputs that match, the newest first unless
// asked otherwise.
func (s *Service) ListProvisionedModelThroughputs(ctx context.Context, in *ListProvisionedModelThroughputsInput) (*ListProvisionedModelThroughputsOutput, error) {
	page, next, err := s.list(ctx, listing{
		kind: outcrop.KindThroughput, status: in.StatusEquals, nameContains: in.NameContains, parent: in.ModelArnEquals,
		after: in.CreationTimeAfter, before: in.CreationTimeBefore, order: in.SortOrder, max: in.MaxResults, next: in.NextToken,
	})
	if err != nil {
		return nil, err
	}
	out := &ListProvisionedModelThroughputsOutput{NextToken: next, ProvisionedModelSummaries: []ProvisionedModelSummary{}}
	for _, rec := range page {
		t, err := outcrop.ThroughputOf(rec)
		if err != nil {
			return nil, err
		}
		out.ProvisionedModelSummaries = append(out.ProvisionedModelSummaries, throughputSummary(t))
	}
	return out, nil
}

func throughputSummary(t *outcrop.Throughput) ProvisionedModelSummary {
	return ProvisionedModelSummary{
		ProvisionedModelArn:      string(t.ARN),
		ProvisionedModelName:     t.Name,
		Status:                   t.Status,
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
