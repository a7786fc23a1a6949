package cli

import (
	"time"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/engine/train/pretrain"
)

func (a *app) pretrainCommand() *cobra.Command {
	var dir string
	var threads threadsFlag
	var export bool
	c := &cobra.Command{
		Use:   "pretrain CONFIG.json --dir DIR",
		Short: "Train a base model from text",
		Long: `Train a base model from text, as the embedded Pebble was trained. CONFIG.json names the corpora, the
shape and the schedule; its fields are described in package engine/train/pretrain. A run that is
interrupted goes on from its last checkpoint when the same command is given again; the finished
model is in DIR/model, ready for outcrop models add.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			config, err := pretrain.ReadConfig(args[0])
			if err != nil {
				return err
			}
			exec, err := a.exec(threads.count())
			if err != nil {
				return err
			}
			defer exec.Pool.Close()
			env := pretrain.Env{Exec: exec, Dir: dir, Log: a.err, Now: time.Now, Threads: threads.count()}
			if export {
				return pretrain.Export(config, env)
			}
			return pretrain.Run(c.Context(), config, env)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "`directory` for checkpoints and the model")
	c.Flags().Var(&threads, "threads", "threads to train with; 0 is one for each core")
	c.Flags().BoolVar(&export, "export", false, "write the newest checkpoint's model and do not train on")
	require(c, "dir")
	return c
}
