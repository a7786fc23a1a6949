package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop/cli/bench"
)

func (a *app) benchCommand() *cobra.Command {
	return group("bench", "Measure training and generation on this machine", a.benchMachineCommand(), a.benchTrainCommand(), a.benchGenerateCommand())
}

// benchmark is what the flags of both benchmarks say.
type benchmark struct {
	shape   string
	seconds float64
	threads threadsFlag
}

func (b *benchmark) addFlags(c *cobra.Command) {
	var shapes []string
	for _, s := range bench.Shapes {
		shapes = append(shapes, s.Name+" ("+s.About+")")
	}
	c.Long = c.Short + ", on random weights of a named shape:\n  " + strings.Join(shapes, "\n  ")
	c.Flags().StringVar(&b.shape, "shape", bench.Shapes[0].Name, "shape of the model")
	c.Flags().Float64Var(&b.seconds, "seconds", 10, "how long to measure")
	c.Flags().Var(&b.threads, "threads", "threads; 0 is one for each core")
}

// run measures with f and prints what it returns.
func (a *app) benchmark(b *benchmark, f func(bench.Env, bench.Shape) (fmt.Stringer, error)) error {
	shape, err := bench.ByName(b.shape)
	if err != nil {
		return usagef("%v", err)
	}
	exec, err := a.exec(b.threads.count())
	if err != nil {
		return err
	}
	defer exec.Pool.Close()
	report, err := f(bench.Env{Exec: exec, Now: time.Now, Seconds: b.seconds}, shape)
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		return a.printJSON(report)
	}
	a.printf("%s\n", report)
	return nil
}
