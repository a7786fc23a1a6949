package cli

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/spf13/cobra"
)

func (a *app) jobsCommand() *cobra.Command {
	return group("jobs", "Model customization jobs: plan, create, follow, stop",
		a.jobsPlanCommand(), a.jobsCreateCommand(), a.jobsListCommand(), a.jobsGetCommand(), a.jobsWatchCommand(), a.jobsStopCommand())
}

func (c *client) getJob(ctx context.Context, id string) (*bedrock.GetModelCustomizationJobOutput, error) {
	return c.bedrock.GetModelCustomizationJob(ctx, &bedrock.GetModelCustomizationJobInput{JobIdentifier: aws.String(id)})
}

// ended reports whether a job will not change any more.
func ended(s types.ModelCustomizationJobStatus) bool {
	return s == types.ModelCustomizationJobStatusCompleted ||
		s == types.ModelCustomizationJobStatusFailed ||
		s == types.ModelCustomizationJobStatusStopped
}

// jobExit is the exit code that tells how a job ended.
func jobExit(s types.ModelCustomizationJobStatus) error {
	if s == types.ModelCustomizationJobStatusCompleted {
		return nil
	}
	return exitWith(exitJobFailed)
}

func trainingLoss(j *bedrock.GetModelCustomizationJobOutput) *float64 {
	if j.TrainingMetrics == nil || j.TrainingMetrics.TrainingLoss == nil {
		return nil
	}
	return aws.Float64(float64(*j.TrainingMetrics.TrainingLoss))
}

// validationLoss is the mean over the validators that have reported.
func validationLoss(j *bedrock.GetModelCustomizationJobOutput) *float64 {
	var sum float64
	var n int
	for _, m := range j.ValidationMetrics {
		if m.ValidationLoss != nil {
			sum += float64(*m.ValidationLoss)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return aws.Float64(sum / float64(n))
}

// took is how long a job ran, or has run until now.
func took(start, end *time.Time, now time.Time) string {
	if start == nil {
		return ""
	}
	if end != nil {
		now = *end
	}
	return now.Sub(*start).Round(time.Second).String()
}
