package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/models/catalog"
	"outcrop.dev/outcrop/server"
)

func (a *app) modelsRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Remove a foundation model that was added, and its files",
		Long: `Remove a foundation model that was added or pulled, with its files and aliases; a running server
no longer knows it from then on. It stays as long as a job, a custom model or throughput needs it: these are named.
Custom models are removed with DeleteCustomModel.`,
		Example: "  outcrop models remove acme.notes-v1",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := a.makeDataDir()
			if err != nil {
				return err
			}
			ids := args
			if models, err := catalog.Read(dir); err == nil {
				if m, ok := models.Lookup(args[0]); ok {
					ids = append(ids, m.Aliases...)
				}
			}
			err = catalog.Remove(dir, args[0], func() ([]string, error) {
				return modelUsers(c.Context(), dir, ids...)
			})
			if err != nil {
				return err
			}
			a.note("Removed %s.", args[0])
			return nil
		},
	}
}

// modelUsers returns what in a data directory needs a foundation model, by any of its ids.
func modelUsers(ctx context.Context, dataDir string, ids ...string) ([]string, error) {
	models, done, err := server.OpenModels(ctx, dataDir, time.Now)
	if err != nil {
		return nil, err
	}
	users, err := models.Users(ctx, catalog.Spellings, ids...)
	return users, errors.Join(err, done())
}
