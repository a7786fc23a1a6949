package cli

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/spf13/cobra"
)

func (a *app) modelsGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get MODEL",
		Short: "Show a custom model or a foundation model, by name, id or ARN",
		Args:  cobra.ExactArgs(1),
		RunE: a.withClient(func(c *cobra.Command, api *client, args []string) error {
			custom, err := api.bedrock.GetCustomModel(c.Context(), &bedrock.GetCustomModelInput{ModelIdentifier: aws.String(args[0])})
			if err == nil {
				return a.printCustomModel(custom)
			}
			base, baseErr := api.bedrock.GetFoundationModel(c.Context(), &bedrock.GetFoundationModelInput{ModelIdentifier: aws.String(args[0])})
			if baseErr == nil {
				return a.printFoundationModel(base)
			}
			// A name is a custom model's, an id with a dot a foundation model's: the error that
			// says more than "not found" is the one to show.
			var missing *types.ResourceNotFoundException
			if errors.As(err, &missing) && errors.As(baseErr, &missing) {
				return baseErr
			}
			return err
		}),
	}
}

func (a *app) printCustomModel(m *bedrock.GetCustomModelOutput) error {
	if a.output == outputJSON {
		return a.printJSON(m)
	}
	var loss *float64
	if m.TrainingMetrics != nil && m.TrainingMetrics.TrainingLoss != nil {
		loss = aws.Float64(float64(*m.TrainingMetrics.TrainingLoss))
	}
	a.printFields(
		field{"Name", aws.ToString(m.ModelName)},
		field{"ARN", aws.ToString(m.ModelArn)},
		field{"Status", string(m.ModelStatus)},
		field{"Base model", aws.ToString(m.BaseModelArn)},
		field{"Job", aws.ToString(m.JobArn)},
		field{"Hyperparameters", hyperParameters(m.HyperParameters)},
		field{"Training loss", number(loss)},
		field{"Created", when(m.CreationTime)},
	)
	return nil
}

func (a *app) printFoundationModel(m *bedrock.GetFoundationModelOutput) error {
	if a.output == outputJSON {
		return a.printJSON(m)
	}
	d := m.ModelDetails
	a.printFields(
		field{"Id", aws.ToString(d.ModelId)},
		field{"ARN", aws.ToString(d.ModelArn)},
		field{"Name", aws.ToString(d.ModelName)},
		field{"Provider", aws.ToString(d.ProviderName)},
		field{"Customization", joined(d.CustomizationsSupported)},
		field{"Inference", joined(d.InferenceTypesSupported)},
	)
	return nil
}
