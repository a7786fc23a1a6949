package cli

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/server"
)

const scrubLong = `Compare all objects and models of the data directory with their checksums, and name the files
that are damaged. What an older program stored gets its checksums now. A running server does the
same by itself, slowly, once a day; it need not be stopped.`

func (a *app) scrubCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "scrub",
		Short: "Compare all that is stored with its checksums",
		Long:  scrubLong,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := a.dataDir()
			if err != nil {
				return err
			}
			r, err := server.Scrub(c.Context(), dir, time.Now, a.logger(false))
			if err != nil {
				return err
			}
			return a.reportScrub(r)
		},
	}
}

func (a *app) reportScrub(r server.ScrubReport) error {
	if a.output == outputJSON {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		for _, damaged := range r.Damaged {
			a.printf("damaged: %s\n", damaged)
		}
		a.note("%d files of objects, %s, and %d models compared; %d files had no checksums and have them now",
			r.Files, humanize.IBytes(uint64(r.Bytes)), r.Models, r.New)
	}
	if n := len(r.Damaged); n > 0 {
		return fmt.Errorf("%d damaged: put them back from a backup, or delete the objects and models that they belong to", n)
	}
	return nil
}
