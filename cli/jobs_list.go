package cli

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/spf13/cobra"
)

func (a *app) jobsListCommand() *cobra.Command {
	var status, name string
	c := &cobra.Command{
		Use:   "list",
		Short: "List customization jobs, newest first",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(c *cobra.Command, api *client, _ []string) error {
			in := &bedrock.ListModelCustomizationJobsInput{StatusEquals: types.FineTuningJobStatus(status)}
			if name != "" {
				in.NameContains = aws.String(name)
			}
			return a.listJobs(c, api, in)
		}),
	}
	c.Flags().StringVar(&status, "status", "", "only jobs in this state: InProgress, Completed, Failed, Stopping or Stopped")
	c.Flags().StringVar(&name, "name", "", "only jobs with this `text` in their names")
	return c
}

func (a *app) listJobs(c *cobra.Command, api *client, in *bedrock.ListModelCustomizationJobsInput) error {
	var jobs []types.ModelCustomizationJobSummary
	for p := bedrock.NewListModelCustomizationJobsPaginator(api.bedrock, in); p.HasMorePages(); {
		page, err := p.NextPage(c.Context())
		if err != nil {
			return err
		}
		jobs = append(jobs, page.ModelCustomizationJobSummaries...)
	}
	if a.output == outputJSON {
		return a.printJSON(map[string]any{"modelCustomizationJobSummaries": jobs})
	}
	rows := make([][]any, len(jobs))
	for i, j := range jobs {
		rows[i] = []any{
			aws.ToString(j.JobName), j.Status, when(j.CreationTime), took(j.CreationTime, j.EndTime, time.Now()),
			aws.ToString(j.CustomModelName),
		}
	}
	a.printRows([]string{"name", "status", "created", "took", "model"}, rows)
	return nil
}
