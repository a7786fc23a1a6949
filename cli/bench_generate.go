package cli

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/cli/bench"
)

func (a *app) benchGenerateCommand() *cobra.Command {
	var b benchmark
	var sessions, prompt int
	weights := weightsFlag(weightsBF16)
	c := &cobra.Command{
		Use:   "generate",
		Short: "Measure generation: tokens a second of reading a prompt and of answering, memory",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if sessions < 1 {
				return usagef("--sessions must be at least 1")
			}
			if prompt < 0 {
				return usagef("--prompt must be at least 1")
			}
			return a.benchmark(&b, func(e bench.Env, s bench.Shape) (fmt.Stringer, error) {
				e.Exec.Int8 = weights.int8()
				s.Prompt = cmp.Or(prompt, s.Prompt)
				return bench.Generate(e, s, sessions)
			})
		},
	}
	b.addFlags(c)
	c.Flags().Var(&weights, "weights", weightsUsage)
	c.Flags().IntVar(&sessions, "sessions", 1, "requests that are answered together")
	c.Flags().IntVar(&prompt, "prompt", 0, "tokens of each request's prompt; 0: as the shape has them")
	return c
}
