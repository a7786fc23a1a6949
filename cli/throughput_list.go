package cli

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/spf13/cobra"
)

func (a *app) throughputListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List provisioned throughput, newest first",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(c *cobra.Command, api *client, _ []string) error {
			var all []types.ProvisionedModelSummary
			for p := bedrock.NewListProvisionedModelThroughputsPaginator(api.bedrock, nil); p.HasMorePages(); {
				page, err := p.NextPage(c.Context())
				if err != nil {
					return err
				}
				all = append(all, page.ProvisionedModelSummaries...)
			}
			return a.printThroughputs(all)
		}),
	}
}

func (a *app) printThroughputs(all []types.ProvisionedModelSummary) error {
	if a.output == outputJSON {
		return a.printJSON(map[string]any{"provisionedModelSummaries": all})
	}
	rows := make([][]any, len(all))
	for i, t := range all {
		rows[i] = []any{
			aws.ToString(t.ProvisionedModelName), t.Status, aws.ToInt32(t.ModelUnits), when(t.CreationTime),
			aws.ToString(t.ModelArn),
		}
	}
	a.printRows([]string{"name", "status", "units", "created", "model"}, rows)
	return nil
}
