package cli

import (
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/server"
)

const lostLong = `List the files that no row of a database named when the server started. A crash leaves such files,
and a backup of a running server has them. They are in lost+found/, below s3/ and models/, and are
deleted after 30 days, or at once with --delete. To get one back, move it to where it was, with the
database that named it.`

func (a *app) lostCommand() *cobra.Command {
	var remove bool
	c := &cobra.Command{
		Use:   "lost",
		Short: "List, or delete, files that nothing names any more",
		Long:  lostLong,
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.dataDir()
			if err != nil {
				return err
			}
			items, err := lostItems(dir)
			if err != nil {
				return err
			}
			if remove {
				return a.deleteLost(items)
			}
			return a.listLost(items)
		},
	}
	c.Flags().BoolVar(&remove, "delete", false, "delete them all")
	return c
}

func lostItems(dataDir string) (all []lost.Item, err error) {
	for _, dir := range server.LostFolders(dataDir) {
		items, err := lost.List(dir)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

func (a *app) listLost(items []lost.Item) error {
	if a.output == outputJSON {
		return a.printJSON(append([]lost.Item{}, items...))
	}
	rows := make([][]any, len(items))
	for i, item := range items {
		rows[i] = []any{item.Since.Format(time.DateTime), item.Since.Add(lost.KeepFor).Format(time.DateOnly), humanize.IBytes(uint64(item.Bytes)), item.Path}
	}
	a.printRows([]string{"since", "deleted", "size", "path"}, rows)
	return nil
}

func (a *app) deleteLost(items []lost.Item) error {
	for _, item := range items {
		if err := os.RemoveAll(item.Path); err != nil {
			return err
		}
	}
	a.note("%d deleted", len(items))
	return nil
}
