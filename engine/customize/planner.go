package customize

import (
	"cmp"
	"context"
	"io"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/model"
)

// Planner says before a job is taken what its worker would: the same code reads the data.
type Planner struct {
	Exec        model.Exec // what workers run on
	MemoryBytes int64      // what training may take; 0: not known
	// Turns are those of all checks of data together. Whoever asks a model meanwhile has the rest of
	// the processors. Nil: a check has all of them.
	Turns datacheck.Turns
}

// PlanJob reads every row of a job's data from objects, and chooses what the job's Train leaves open.
// Of bad data the error counts the mistakes (datacheck.Report.Err), and report is the whole of them as
// JSON. No report comes with other errors: those of reading, and of NewPlan. base is where the job's
// base model is.
func (p Planner) PlanJob(ctx context.Context, job *outcrop.Job, base outcrop.ModelFiles, objects outcrop.Objects) (spec outcrop.TrainSpec, report []byte, err error) {
	var validations []datacheck.Source
	for _, uri := range job.ValidationURIs {
		validations = append(validations, objectSource(objects, uri))
	}
	checker := datacheck.Checker{Workers: cap(p.Turns), Turns: p.Turns, Customization: job.CustomizationType, Context: base.ContextLength}
	// The form of conversations is the whole model's: adapters lack the config.json that may name the end of text.
	whole := cmp.Or(base.BaseDir, base.Dir)
	found, err := checker.Check(ctx, whole, RowLength(base.ContextLength, job.Train), objectSource(objects, job.TrainingURI), validations)
	if err != nil {
		return spec, nil, err
	}
	if err := found.Err(); err != nil {
		return spec, found.JSON(), err
	}
	plan, err := NewPlan(base, p.Exec, found, job.Train, p.MemoryBytes)
	if err != nil {
		return spec, nil, err
	}
	return plan.Train, nil, nil
}

func objectSource(objects outcrop.Objects, uri string) datacheck.Source {
	return datacheck.Source{Name: uri, Open: func(ctx context.Context) (io.ReadCloser, error) {
		bucket, key, err := outcrop.ParseS3URI(uri)
		if err != nil {
			return nil, err
		}
		r, _, err := objects.Get(ctx, bucket, key)
		return r, err
	}}
}
