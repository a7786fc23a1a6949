package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// ListModelCustomizationJobs returns the jobs that match, the newest first unless asked
// otherwise.
func (s *Service) ListModelCustomizationJobs(ctx context.Context, in *ListModelCustomizationJobsInput) (*ListModelCustomizationJobsOutput, error) {
	page, next, err := jobs.List(ctx, s.log, s.store, resource.Listing{
		Status: outcrop.Status(in.StatusEquals), NameContains: in.NameContains,
		After: in.CreationTimeAfter, Before: in.CreationTimeBefore, Order: in.SortOrder, Max: in.MaxResults, Next: in.NextToken,
	})
	if err != nil {
		return nil, err
	}
	return &ListModelCustomizationJobsOutput{NextToken: next, ModelCustomizationJobSummaries: resource.Each(page, jobSummary)}, nil
}

func jobSummary(j *outcrop.Job) ModelCustomizationJobSummary {
	return ModelCustomizationJobSummary{
		JobArn:            string(j.ARN),
		JobName:           j.Name,
		Status:            string(j.Status),
		StatusDetails:     statusDetails(j),
		BaseModelArn:      string(j.BaseModelARN),
		CustomModelArn:    string(j.OutputModelARN),
		CustomModelName:   j.CustomModelName,
		CustomizationType: j.CustomizationType,
		CreationTime:      j.Created,
		LastModifiedTime:  j.Updated,
		EndTime:           j.EndTime,
	}
}
