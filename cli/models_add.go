package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/models/catalog"
)

const modelsAddLong = `Copy a model in Hugging Face layout (config.json, tokenizer.json, *.safetensors) into the data
directory, where it is a foundation model from then on; a running server sees it at once. Everything is
checked before: the configuration, the name and shape of every tensor, the tokenizer, the chat template.

Without --id the model is called local.NAME, after the directory's name.`

func (a *app) modelsAddCommand() *cobra.Command {
	var add catalog.Addition
	c := &cobra.Command{
		Use:   "add DIR",
		Short: "Add a model of your own as a foundation model",
		Long:  modelsAddLong,
		Example: `  outcrop models add ./SmolLM2-135M
  outcrop models add ./SmolLM2-135M --id acme.notes-v1 --alias amazon.nova-micro-v1:0`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := a.makeDataDir()
			if err != nil {
				return err
			}
			return a.addModel(c.Context(), dir, args[0], add)
		},
	}
	additionFlags(c, &add)
	c.Flags().BoolVar(&add.Link, "link", false, "make hard links instead of copies; nobody may change the files afterwards")
	return c
}

// additionFlags are those of every command that adds a model.
func additionFlags(c *cobra.Command, add *catalog.Addition) {
	f := c.Flags()
	f.StringVar(&add.ID, "id", "", "`id` of the model, such as acme.notes-v1 (default: after its name)")
	f.StringArrayVar(&add.Aliases, "alias", nil, "another `id` for it; may be repeated")
	f.StringVar(&add.Name, "name", "", "display `name`, at most 20 characters (default: from the id)")
	f.StringVar(&add.Provider, "provider", "", "provider `name`, at most 20 characters (default: from the id)")
	f.StringVar(&add.Description, "description", "", "what it is, in a `sentence`")
}

// makeDataDir returns the data directory, which it makes if need be.
func (a *app) makeDataDir() (string, error) {
	dir, err := a.dataDir()
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// addModel adds the model in from, and says what it needs.
func (a *app) addModel(ctx context.Context, dataDir, from string, add catalog.Addition) error {
	m, err := catalog.Add(ctx, dataDir, from, add)
	if err != nil {
		return err
	}
	return a.printAdded(m)
}

func (a *app) printAdded(m outcrop.FoundationModel) error {
	memory, err := a.modelMemory(m.Dir)
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		return a.printJSON(struct {
			Model  outcrop.FoundationModel
			Memory modelMemory
		}{m, memory})
	}
	a.printf("%s\n", m.ID)
	a.note("%s", m.Description)
	a.note("%s", memory)
	return nil
}
