package cli

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/spf13/cobra"
)

func (a *app) throughputDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete THROUGHPUT",
		Short: "Give provisioned throughput back; the model stays",
		Args:  cobra.ExactArgs(1),
		RunE: a.withClient(func(c *cobra.Command, api *client, args []string) error {
			_, err := api.bedrock.DeleteProvisionedModelThroughput(c.Context(), &bedrock.DeleteProvisionedModelThroughputInput{
				ProvisionedModelId: aws.String(args[0]),
			})
			if err != nil {
				return err
			}
			a.note("Deleted %s", args[0])
			return nil
		}),
	}
}
