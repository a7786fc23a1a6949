package server

import (
	"context"

	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/tune"
)

// dataChecker lets the Bedrock service check data with the code that will train on them.
type dataChecker struct{ checker *tune.Checker }

// Check implements bedrock.DataChecker.
func (d dataChecker) Check(ctx context.Context, modelDir string, contextLength int, train bedrock.Dataset, validations []bedrock.Dataset) (bedrock.DataReport, error) {
	sources := make([]tune.Source, 0, len(validations))
	for _, v := range validations {
		sources = append(sources, tune.Source(v))
	}
	report, err := d.checker.Check(ctx, modelDir, contextLength, tune.Source(train), sources)
	if err != nil {
		return bedrock.DataReport{}, err
	}
	return bedrock.DataReport{Err: report.Err(), JSON: report.JSON()}, nil
}
