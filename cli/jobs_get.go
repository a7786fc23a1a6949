package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/spf13/cobra"
)

func (a *app) jobsGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get JOB",
		Short: "Show a customization job, by name or ARN",
		Args:  cobra.ExactArgs(1),
		RunE: a.withClient(func(c *cobra.Command, api *client, args []string) error {
			job, err := api.getJob(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.printJob(job)
		}),
	}
}

func (a *app) printJob(j *bedrock.GetModelCustomizationJobOutput) error {
	if a.output == outputJSON {
		return a.printJSON(j)
	}
	p := progressOf(j)
	a.printFields(
		field{"Name", aws.ToString(j.JobName)},
		field{"ARN", aws.ToString(j.JobArn)},
		field{"Status", string(j.Status)},
		field{"Failure", aws.ToString(j.FailureMessage)},
		field{"Base model", aws.ToString(j.BaseModelArn)},
		field{"Custom model", aws.ToString(j.OutputModelName)},
		field{"Model ARN", aws.ToString(j.OutputModelArn)},
		field{"Training data", trainingURI(j)},
		field{"Validation", strings.Join(validationURIs(j), " ")},
		field{"Output", outputURI(j)},
		field{"Hyperparameters", hyperParameters(j.HyperParameters)},
		field{"Trains with", hyperParameters(p.HyperParameters)},
		field{"Steps", steps(p)},
		field{"Training loss", number(trainingLoss(j))},
		field{"Validation loss", number(validationLoss(j))},
		field{"Created", when(j.CreationTime)},
		field{"Ended", when(j.EndTime)},
		field{"Took", took(j.CreationTime, j.EndTime, time.Now())},
	)
	return nil
}

func trainingURI(j *bedrock.GetModelCustomizationJobOutput) string {
	if j.TrainingDataConfig == nil {
		return ""
	}
	return aws.ToString(j.TrainingDataConfig.S3Uri)
}

func validationURIs(j *bedrock.GetModelCustomizationJobOutput) (uris []string) {
	if j.ValidationDataConfig == nil {
		return nil
	}
	for _, v := range j.ValidationDataConfig.Validators {
		uris = append(uris, aws.ToString(v.S3Uri))
	}
	return uris
}

func outputURI(j *bedrock.GetModelCustomizationJobOutput) string {
	if j.OutputDataConfig == nil {
		return ""
	}
	return aws.ToString(j.OutputDataConfig.S3Uri)
}

func hyperParameters(hp map[string]string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(hp)) {
		words = append(words, name+"="+hp[name])
	}
	return strings.Join(words, " ")
}

// steps says how far a job is, and at its end which step's weights its model has.
func steps(p progress) string {
	if p.Steps == 0 {
		return ""
	}
	s := fmt.Sprintf("%d of %d", p.Step, p.Steps)
	if p.PublishedStep > 0 {
		s += fmt.Sprintf("; the model has the weights of step %d", p.PublishedStep)
	}
	return s
}
