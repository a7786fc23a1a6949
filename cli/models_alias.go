package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/models/catalog"
)

func (a *app) modelsAliasCommand() *cobra.Command {
	var remove bool
	c := &cobra.Command{
		Use:   "alias ID ALIAS…",
		Short: "Give a foundation model other ids, or take them away",
		Long: `Give a foundation model other ids, by which scripts that name another model find it; a running
server knows them at once. With --remove the arguments are aliases to take away; one by which a job, a
custom model or throughput was made stays as long as that needs it.`,
		Example: `  outcrop models alias acme.notes-v1 meta.llama3-1-8b-instruct-v1:0
  outcrop models alias --remove meta.llama3-1-8b-instruct-v1:0`,
		Args: func(c *cobra.Command, args []string) error {
			if remove {
				return cobra.MinimumNArgs(1)(c, args)
			}
			return cobra.MinimumNArgs(2)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := a.makeDataDir()
			if err != nil {
				return err
			}
			var m outcrop.FoundationModel
			if remove {
				m, err = catalog.RemoveAliases(dir, args, func(alias string) ([]string, error) {
					return modelUsers(c.Context(), dir, alias)
				})
			} else {
				m, err = catalog.AddAliases(dir, args[0], args[1:])
			}
			if err != nil {
				return err
			}
			return a.printAliases(m)
		},
	}
	c.Flags().BoolVar(&remove, "remove", false, "take the aliases away")
	return c
}

func (a *app) printAliases(m outcrop.FoundationModel) error {
	if a.output == outputJSON {
		return a.printJSON(m)
	}
	a.printFields(field{"Id", m.ID}, field{"Aliases", strings.Join(m.Aliases, " ")})
	return nil
}
