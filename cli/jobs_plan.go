package cli

import (
	"context"
	"errors"
	"runtime"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/customize"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/recipe"
)

const jobsPlanLong = `Say what a job would train with and how much memory it would take, and train nothing: every
hyperparameter, those that are left open or "auto" chosen by the same rules as the server does. The
first file is training data, the others are validation data. No server is needed. Exit code 1 says
that the job would not fit into this machine's memory, and 3 that a row is bad.`

func (a *app) jobsPlanCommand() *cobra.Command {
	var base string
	var hyper map[string]string
	var memoryMiB int64
	c := &cobra.Command{
		Use:   "plan TRAIN.jsonl [VALIDATION.jsonl…]",
		Short: "Show what a job would train with, and the memory that it would take",
		Long:  jobsPlanLong,
		Example: `  outcrop jobs plan train.jsonl validation.jsonl
  outcrop jobs plan train.jsonl --base ./SmolLM2-135M --hyper method=lora --hyper learningRate=auto`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			plan, err := a.planJob(c.Context(), base, hyper, memoryMiB<<20, args)
			if plan == nil {
				return err
			}
			if a.output == outputJSON {
				return errors.Join(a.printJSON(plan), err)
			}
			return errors.Join(plan.WriteText(a.out), err)
		},
	}
	c.Flags().StringVar(&base, "base", defaultBaseModel, "base model: its id, or its directory")
	c.Flags().StringToStringVar(&hyper, "hyper", nil, "a hyperparameter by its API name, NAME=VALUE; may be repeated")
	c.Flags().Int64Var(&memoryMiB, "memory", int64(totalMemory()>>20), "memory that training may take, in MiB")
	return c
}

// planJob returns the plan, also with the error that it does not fit.
func (a *app) planJob(ctx context.Context, base string, hyper map[string]string, memory int64, files []string) (*customize.Plan, error) {
	m, err := a.openBase(base)
	if err != nil {
		return nil, err
	}
	defer m.close()
	spec, err := recipe.Parse(m.FoundationModel, hyper)
	if err != nil {
		return nil, err
	}
	if spec.Validates() && len(files) == 1 {
		return nil, outcrop.Errorf(outcrop.CodeValidation, "Early stopping and bestCheckpoint go by validation data: name a file of them too, or leave those hyperparameters out.")
	}
	checker := datacheck.Checker{Context: m.ContextLength}
	report, err := checker.Check(ctx, m.Dir, customize.RowLength(m.ContextLength, spec), fileSource(files[0]), fileSources(files[1:]))
	if err != nil {
		return nil, err
	}
	if err := report.Err(); err != nil {
		return nil, &exitError{code: exitBadData, text: explain(err)}
	}
	exec, err := a.exec(runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	defer exec.Pool.Close()
	return customize.NewPlan(outcrop.ModelFiles{Dir: m.Dir}, exec, report, spec, memory)
}
