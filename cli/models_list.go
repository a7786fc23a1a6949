package cli

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/spf13/cobra"
)

func (a *app) modelsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the foundation models and the custom models",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(c *cobra.Command, api *client, _ []string) error {
			base, err := api.bedrock.ListFoundationModels(c.Context(), &bedrock.ListFoundationModelsInput{})
			if err != nil {
				return err
			}
			custom, err := api.customModels(c.Context())
			if err != nil {
				return err
			}
			return a.printModels(base.ModelSummaries, custom)
		}),
	}
}

func (c *client) customModels(ctx context.Context) (all []types.CustomModelSummary, err error) {
	for p := bedrock.NewListCustomModelsPaginator(c.bedrock, nil); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.ModelSummaries...)
	}
	return all, nil
}

func (a *app) printModels(base []types.FoundationModelSummary, custom []types.CustomModelSummary) error {
	if a.output == outputJSON {
		return a.printJSON(map[string]any{"foundationModels": base, "customModels": custom})
	}
	var rows [][]any
	for _, m := range base {
		rows = append(rows, []any{"foundation", aws.ToString(m.ModelId), aws.ToString(m.ProviderName), "", joined(m.CustomizationsSupported)})
	}
	for _, m := range custom {
		rows = append(rows, []any{"custom", aws.ToString(m.ModelName), aws.ToString(m.BaseModelName), when(m.CreationTime), string(m.CustomizationType)})
	}
	a.printRows([]string{"kind", "id or name", "provider or base", "created", "customization"}, rows)
	return nil
}

func joined[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return strings.Join(words, " ")
}
