package cli

import "github.com/spf13/cobra"

func (a *app) dataCommand() *cobra.Command {
	return group("data", "Training data", a.dataCheckCommand())
}
