package cli

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/spf13/cobra"
)

func (a *app) throughputCreateCommand() *cobra.Command {
	var name, model, commitment string
	var units int32
	var wait bool
	c := &cobra.Command{
		Use:     "create --name NAME --model MODEL",
		Short:   "Reserve capacity for a model",
		Example: "  outcrop throughput create --name notes-prod --model notes",
		Args:    cobra.NoArgs,
		RunE: a.withClient(func(c *cobra.Command, api *client, _ []string) error {
			out, err := api.bedrock.CreateProvisionedModelThroughput(c.Context(), &bedrock.CreateProvisionedModelThroughputInput{
				ProvisionedModelName: aws.String(name), ModelId: aws.String(model), ModelUnits: aws.Int32(units),
				CommitmentDuration: types.CommitmentDuration(commitment),
			})
			if err != nil {
				return err
			}
			if wait {
				return a.waitThroughput(c, api, aws.ToString(out.ProvisionedModelArn))
			}
			if a.output == outputJSON {
				return a.printJSON(out)
			}
			a.printf("%s\n", aws.ToString(out.ProvisionedModelArn))
			return nil
		}),
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "name of the provisioned throughput")
	f.StringVar(&model, "model", "", "model to serve, by name, id or ARN")
	f.Int32Var(&units, "units", 1, "model units")
	f.StringVar(&commitment, "commitment", "", "OneMonth or SixMonths (default: by the hour)")
	f.BoolVar(&wait, "wait", false, "wait until it is in service")
	require(c, "name", "model")
	return c
}

func (a *app) waitThroughput(c *cobra.Command, api *client, arn string) error {
	t, err := api.awaitThroughput(c.Context(), arn, func(why string) { a.note("Waiting: %s", why) })
	if err != nil {
		return err
	}
	if err := a.printThroughput(t); err != nil {
		return err
	}
	if t.Status == types.ProvisionedModelStatusFailed {
		return exitWith(exitFailure)
	}
	return nil
}
