package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/engine/customize"
	"outcrop.dev/outcrop/work/attempt"
)

// workerCommand is what the server starts for each attempt at a job, with the attempt's
// token in the environment. Its exit code is one of package attempt's Exit constants.
func (a *app) workerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:    "worker",
		Short:  "Work on one attempt at a job; the server starts this",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return exitWith(a.work(c.Context()))
		},
	}
	// What the worker does is in its token; these are for people who look at processes.
	c.Flags().String("job", "", "id of the job")
	c.Flags().Int("attempt", 0, "number of the attempt")
	return c
}

// work does the attempt and returns the exit code.
func (a *app) work(ctx context.Context) int {
	log := a.logger(false)
	api, err := attempt.Connect(ctx, attempt.Options{DataDir: a.dataFlag, Token: a.getenv(attempt.TokenEnv), Log: log, Stderr: a.err})
	if err != nil {
		log.Error("connect", "error", err)
		return attempt.ExitCode(err)
	}
	spec := api.Spec()
	exec, err := a.exec(spec.Threads)
	if err != nil {
		log.Error("kernel", "error", err)
		return attempt.ExitCode(err)
	}
	defer exec.Pool.Close()
	working, stop := api.Start(ctx)
	defer stop()
	if code, done := api.Redeliver(working); done {
		return code
	}
	progress, err := runProcess(working, api, spec, customize.Options{
		Exec: exec, Now: time.Now, MemoryBytes: int64(availableMemory()), Log: log,
	})
	if err != nil {
		log.Error("the attempt ends", "error", err)
	}
	return api.Finish(working, progress, err)
}
