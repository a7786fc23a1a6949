package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/bench"
)

func (a *app) benchTrainCommand() *cobra.Command {
	var b benchmark
	c := &cobra.Command{
		Use:   "train",
		Short: "Measure training: tokens a second, FLOP/s and their share of the peak, memory",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.benchmark(&b, func(e bench.Env, s bench.Shape) (fmt.Stringer, error) { return bench.Train(e, s) })
		},
	}
	b.addFlags(c)
	return c
}
