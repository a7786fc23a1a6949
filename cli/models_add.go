package cli

import (
	"os"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/catalog"
)

func (a *app) modelsAddCommand() *cobra.Command {
	var id string
	c := &cobra.Command{
		Use:   "add DIR --id PROVIDER.NAME",
		Short: "Add a model of your own as a foundation model",
		Long: `Copy a model in Hugging Face layout (config.json, tokenizer.json, *.safetensors) into the data
directory, where it is a foundation model from then on; a running server sees it at once.`,
		Example: "  outcrop models add ./SmolLM2-135M --id huggingface.smollm2-135m",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := a.dataDir()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			m, err := catalog.Add(dir, args[0], id)
			if err != nil {
				return err
			}
			if a.output == outputJSON {
				return a.printJSON(m)
			}
			a.printf("%s\n", m.ID)
			a.note("%s", m.Description)
			return nil
		},
	}
	c.Flags().StringVar(&id, "id", "", "id of the model, such as acme.notes-v1")
	require(c, "id")
	return c
}
