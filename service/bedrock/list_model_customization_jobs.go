package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// ListModelCustomizationJobs returns the jobs that match, the newest first unless asked
// otherwise.
func (s *Service) ListModelCustomizationJobs(ctx context.Context, in *ListModelCustomizationJobsInput) (*ListModelCustomizationJobsOutput, error) {
	page, next, err := list(ctx, s, listing{
		kind: outcrop.KindJob, status: in.StatusEquals, nameContains: in.NameContains,
		after: in.CreationTimeAfter, before: in.CreationTimeBefore, order: in.SortOrder, max: in.MaxResults, next: in.NextToken,
	}, outcrop.JobOf)
	if err != nil {
		return nil, err
	}
	return &ListModelCustomizationJobsOutput{NextToken: next, ModelCustomizationJobSummaries: each(page, jobSummary)}, nil
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
