package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) modelsCommand() *cobra.Command {
	return group("models", "Foundation models and custom models",
		a.modelsListCommand(), a.modelsGetCommand(), a.modelsAddCommand(), a.modelsPullCommand(),
		a.modelsAliasCommand(), a.modelsRemoveCommand(), a.modelsExportCommand())
}
