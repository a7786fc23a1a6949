package cli

import "github.com/spf13/cobra"

func (a *app) modelCommand() *cobra.Command {
	return group("model", "Look into a model directory", a.modelLogitsCommand())
}
