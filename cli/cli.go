// Package cli is the outcrop command: one file for each subcommand.
//
// serve, worker, pretrain, bench and demo start the machinery; doctor and data check look
// at this machine and at files; jobs, models, throughput and invoke are clients that speak
// to a running server through the AWS SDK for Go, as any program would, and know nothing of
// its insides. target.go decides which server, and with which keys.
//
//	outcrop serve &
//	outcrop jobs create --name notes --train notes.jsonl --watch
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs the command line args (without the program's name) and returns the exit code.
// An interrupt or a termination signal ends it in an orderly way; a second one, at once.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // not every command looks at ctx at every moment
	a := &app{in: stdin, out: stdout, err: stderr, getenv: os.Getenv}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(ctx)
	if err != nil && !a.started {
		err = usagef("%v\nRun '%s --help' for usage.", err, c.CommandPath())
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintf(stderr, "outcrop: %s\n", explain(err))
	}
	return exitCode(err)
}

// app is what every command needs: the streams, the environment and the common flags.
type app struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string

	dataFlag string
	output   string
	started  bool // a command's own code runs: errors before that are about the command line
}

const rootLong = `Outcrop fine-tunes and serves language models behind the Amazon Bedrock API, on this machine.

Start a server, then use boto3, the AWS CLI, any AWS SDK, or the commands below:

  outcrop serve                 # one port: S3, Bedrock, Bedrock Runtime, STS
  eval "$(outcrop env)"         # the AWS_… variables that point an SDK at it

The client commands (jobs, models, throughput, invoke) find the server by themselves: in
AWS_ENDPOINT_URL and the AWS_… keys if that is set, else in the data directory.`

const exitCodesHelp = `
Exit codes:
  0  done
  1  failure
  2  the command line is wrong
  3  the training data is bad
  4  the customization job failed or was stopped
`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "outcrop",
		Short:             "Fine-tune and serve language models behind the Amazon Bedrock API",
		Long:              rootLong,
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              noSuchCommand,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.checkOutput() },
	}
	root.SetUsageTemplate(root.UsageTemplate() + exitCodesHelp)
	f := root.PersistentFlags()
	f.StringVar(&a.dataFlag, "data", "", "data `directory` (default "+defaultDataDirText+")")
	f.StringVar(&a.output, "output", outputTable, "how to print results: table or json")
	root.AddCommand(
		a.serveCommand(), a.envCommand(), a.doctorCommand(), a.dataCommand(),
		a.backupCommand(), a.restoreCommand(), a.scrubCommand(), a.lostCommand(),
		a.jobsCommand(), a.modelsCommand(), a.modelCommand(), a.throughputCommand(), a.invokeCommand(),
		a.workerCommand(), a.pretrainCommand(), a.benchCommand(), a.demoCommand(), a.versionCommand(),
	)
	a.noteStart(root)
	return root
}

// noSuchCommand refuses arguments that name no subcommand, with the nearest names.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", c.CommandPath()+" "+args[0])
	for i, name := range c.SuggestionsFor(args[0]) {
		if i == 0 {
			text += ". Did you mean one of these?"
		}
		text += "\n  " + c.CommandPath() + " " + name
	}
	return errors.New(text)
}

// group returns a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: noSuchCommand,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(commands...)
	return c
}

// noteStart wraps every command so that it is known when its own code begins.
func (a *app) noteStart(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			a.started = true
			return run(c, args)
		}
	}
	for _, sub := range c.Commands() {
		a.noteStart(sub)
	}
}

// require marks flags that a command cannot do without.
func require(c *cobra.Command, names ...string) {
	for _, name := range names {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that does not exist: our own bug
		}
	}
}
