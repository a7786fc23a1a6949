package cli

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/spf13/cobra"
)

func (a *app) jobsStopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop JOB",
		Short: "Stop a customization job; it cannot be resumed and leaves no model",
		Args:  cobra.ExactArgs(1),
		RunE: a.withClient(func(c *cobra.Command, api *client, args []string) error {
			_, err := api.bedrock.StopModelCustomizationJob(c.Context(), &bedrock.StopModelCustomizationJobInput{
				JobIdentifier: aws.String(args[0]),
			})
			if err != nil {
				return err
			}
			a.note("%s is stopping. Follow it with: outcrop jobs watch %s", args[0], args[0])
			return nil
		}),
	}
}
