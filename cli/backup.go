package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/server"
)

const backupLong = `Copy the data directory to the new directory DIR: databases, objects, models and the root key, and
compare the copy with its checksums. A running server need not be stopped. Jobs that are under way
are in it, and begin again after a restore. What is in lost+found/ is not in it.`

const restoreLong = `Make a new data directory (--data) of what outcrop backup wrote to DIR, and compare it with its
checksums. The data directory must be empty, or not there yet.`

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the data directory, also while the server runs",
		Long:  backupLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := a.dataDir()
			if err != nil {
				return err
			}
			r, err := server.Backup(c.Context(), dir, args[0], time.Now, a.logger(false))
			if err != nil {
				return fmt.Errorf("%s is no backup: %w", args[0], err)
			}
			return a.reportBackup(r, args[0])
		},
	}
}

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore DIR --data NEW",
		Short: "Make a data directory of a backup",
		Long:  restoreLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := a.dataDir()
			if err != nil {
				return err
			}
			r, err := server.Restore(c.Context(), args[0], dir, time.Now, a.logger(false))
			if err != nil {
				return fmt.Errorf("%s is not restored: %w", dir, err)
			}
			return a.reportBackup(r, dir)
		},
	}
}

// reportBackup says what is in a copy that was made.
func (a *app) reportBackup(r server.BackupReport, dir string) error {
	if a.output == outputJSON {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		for _, damaged := range r.Damaged {
			a.printf("damaged: %s\n", damaged)
		}
		a.note("%s has %d files of objects, %s, and %d models, as of %s", dir, r.Files, humanize.IBytes(uint64(r.Bytes)), r.Models, r.Made.Format(time.DateTime))
	}
	if len(r.Damaged) > 0 {
		return errors.New("the copy is not whole. What is damaged here is damaged in the data directory too (outcrop scrub), or was deleted while it was copied: then do it again")
	}
	return nil
}
