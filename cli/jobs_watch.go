package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) jobsWatchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch JOB",
		Short: "Follow a customization job until it ends; exit code 4 if it fails",
		Long: `Follow a customization job, by name or ARN, until it ends. On a terminal one line is redrawn;
otherwise a line is written whenever there is news. Interrupting this does not stop the job.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(c *cobra.Command, api *client, args []string) error {
			return a.watchAndPrint(c.Context(), api, args[0])
		}),
	}
}
