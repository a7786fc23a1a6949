package server

import (
	"cmp"
	"context"

	"outcrop.dev/outcrop/engine/customize"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/service/bedrock"
)

// dataChecker lets the Bedrock service check a job with the code that will do it.
type dataChecker struct {
	checker *datacheck.Checker
	exec    nn.Exec
	memory  int64 // bytes that training may take; 0: not known
}

// Check implements bedrock.DataChecker.
func (d dataChecker) Check(ctx context.Context, ask bedrock.DataCheck) (bedrock.DataReport, error) {
	sources := make([]datacheck.Source, 0, len(ask.Validations))
	for _, v := range ask.Validations {
		sources = append(sources, datacheck.Source(v))
	}
	length := customize.RowLength(ask.Model.ContextLength, ask.Train)
	checker := *d.checker
	checker.Customization, checker.Context = ask.CustomizationType, ask.Model.ContextLength
	// The form of conversations is the whole model's: adapters lack the config.json that may name the end of text.
	whole := cmp.Or(ask.Model.BaseDir, ask.Model.Dir)
	report, err := checker.Check(ctx, whole, length, datacheck.Source(ask.Training), sources)
	if err != nil {
		return bedrock.DataReport{}, err
	}
	answer := bedrock.DataReport{Err: report.Err(), JSON: report.JSON()}
	if answer.Err == nil {
		plan, err := customize.NewPlan(ask.Model, d.exec, report, ask.Train, d.memory)
		if err != nil {
			return answer, err
		}
		answer.Train = plan.Train
	}
	return answer, nil
}
