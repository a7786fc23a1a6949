package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"outcrop.dev/outcrop/cli/demo"
	"outcrop.dev/outcrop/server"
)

const demoLong = `Show the whole of Outcrop on sample data, in under three minutes on two cores: ask the embedded base
model, upload, create a customization job and watch it train, provision throughput, ask the tuned
model. It starts a real server on a free port of 127.0.0.1 and calls it through the AWS SDK for Go,
as your programs would. What it made stays in the data directory, so that you can go on with it.`

func (a *app) demoCommand() *cobra.Command {
	o := demo.Defaults()
	var extract string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a real fine-tune from end to end on sample data",
		Long:  demoLong,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if extract != "" {
				return demo.Extract(extract)
			}
			return a.demo(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&extract, "extract", "", "only write the sample data into this `directory`")
	f.StringVar(&o.BaseModel, "base", o.BaseModel, "base model")
	f.IntVar(&o.Rows, "rows", o.Rows, "training rows to use")
	f.IntVar(&o.HeldOut, "held-out", o.HeldOut, "held-out rows to ask both models")
	f.IntVar(&o.Epochs, "epochs", o.Epochs, "passes over the training rows")
	f.IntVar(&o.BatchSize, "batch-size", o.BatchSize, "rows a step")
	f.Float64Var(&o.LearningRate, "learning-rate", o.LearningRate, "peak learning rate")
	return c
}

// demo runs the demo against a server in this process.
func (a *app) demo(ctx context.Context, o demo.Options) (err error) {
	dir, err := a.demoDir()
	if err != nil {
		return err
	}
	a.dataFlag = dir
	cfg, done, err := a.serverConfig(server.Config{DataDir: dir, Listen: "127.0.0.1:0", Log: a.quietLogger()})
	if err != nil {
		return err
	}
	defer done()
	s, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- s.Run(serving) }()
	defer func() {
		stop()
		err = errors.Join(err, orderly(<-served))
	}()
	t := target{url: s.URL(), urlFrom: "the demo's server", key: s.RootKey(), keyFrom: "the demo's server", region: server.DefaultRegion, dataDirLooked: dir}
	a.printf("Outcrop %s serves %s from %s\n", readVersion().Version, t.url, dir)
	o.Account, o.Columns, o.GoOn = server.DefaultAccount, a.columns(), a.goOn(dir)
	client := t.config()
	client.Retryer = newRetryer
	return demo.Run(ctx, client, o, a.out, func(ctx context.Context, arn string) (*bedrock.GetModelCustomizationJobOutput, error) {
		return watchJob(ctx, newClient(t), arn, newProgressLine(a.out))
	})
}

// demoDir is --data, which must not hold another server's work, or a temporary directory.
func (a *app) demoDir() (string, error) {
	if a.dataFlag == "" {
		return os.MkdirTemp("", "outcrop-demo-")
	}
	dir, err := filepath.Abs(a.dataFlag)
	if err != nil {
		return "", err
	}
	if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
		return "", usagef("%s is not empty: give the demo a directory of its own", dir)
	}
	return dir, nil
}

// goOn is how to bring the demo's server back.
func (a *app) goOn(dir string) []string {
	program, err := os.Executable()
	if err != nil {
		program = "outcrop"
	}
	program, dir = shellQuote(program), shellQuote(dir)
	return []string{
		fmt.Sprintf("%s serve --data %s &", program, dir),
		"sleep 2",
		fmt.Sprintf(`eval "$(%s env --data %s)"`, program, dir),
	}
}

// The widths between which text is wrapped.
const columnsMin, columnsMax, columnsDefault = 60, 120, 100

// columns is the width of the terminal.
func (a *app) columns() int {
	if f, ok := a.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return max(columnsMin, min(width, columnsMax))
		}
	}
	return columnsDefault
}
