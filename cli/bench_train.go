package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/cli/bench"
)

// documentsMax bounds a step of the benchmark: more than fits into any machine's memory.
const documentsMax = 1 << 14

func (a *app) benchTrainCommand() *cobra.Command {
	var b benchmark
	var documents int
	var method string
	c := &cobra.Command{
		Use:   "train",
		Short: "Measure training: tokens a second, FLOP/s and their share of the peak, memory",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if documents < 0 || documents > documentsMax {
				return usagef("--documents must be between 0 and %d", documentsMax)
			}
			if !slices.Contains(bench.Methods, method) {
				return usagef("--method must be one of %s", strings.Join(bench.Methods, ", "))
			}
			return a.benchmark(&b, func(e bench.Env, s bench.Shape) (fmt.Stringer, error) {
				if documents > 0 {
					s.Rows = documents
				}
				return bench.Train(e, s, method)
			})
		},
	}
	b.addFlags(c)
	c.Flags().IntVar(&documents, "documents", 0, "documents of a step; 0 is as many as the shape says")
	c.Flags().StringVar(&method, "method", bench.Full, "what is trained: full (every weight) or lora (adapters of rank 16 on every linear layer)")
	return c
}
