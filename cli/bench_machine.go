package cli

import (
	"time"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/cli/bench"
)

func (a *app) benchMachineCommand() *cobra.Command {
	var threads threadsFlag
	c := &cobra.Command{
		Use:   "machine",
		Short: "Measure what this machine can do at best: multiply-adds by kernel, bytes from memory",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			exec, err := a.exec(threads.count())
			if err != nil {
				return err
			}
			defer exec.Pool.Close()
			report, err := bench.Machine(bench.Env{Exec: exec, Now: time.Now}, cpuName())
			if err != nil {
				return err
			}
			if a.output == outputJSON {
				return a.printJSON(report)
			}
			a.printf("%s\n", report)
			return nil
		},
	}
	c.Flags().Var(&threads, "threads", "threads; 0 is one for each core")
	return c
}
