package customize

import (
	"cmp"
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/format/chattemplate"
)

// loadData reads, checks and renders the data, and stores the report on them.
func (r *run) loadData(ctx context.Context) error {
	var validation []datacheck.Source
	for _, uri := range r.job.ValidationURIs {
		validation = append(validation, r.source(uri))
	}
	c := datacheck.Checker{Workers: r.Exec.Pool.Threads(), Context: r.job.ContextLength}
	report, data, err := c.Load(ctx, cmp.Or(r.job.BaseDir, r.job.ModelDir), r.rowLength(), r.source(r.job.TrainingURI), validation)
	if err != nil {
		return err
	}
	r.putLater(outcrop.DataReportFile, jsonType, report.JSON())
	for _, w := range report.Warnings {
		r.Log.Warn("data", "warning", w)
	}
	if err := report.Err(); err != nil {
		return r.flushThen(ctx, err) // the full report is what the user needs now
	}
	r.data = data
	return nil
}

// flushThen waits for the artefacts and returns err, which matters more than theirs.
func (r *run) flushThen(ctx context.Context, err error) error {
	if flushErr := r.attempt.Flush(ctx); flushErr != nil {
		r.Log.Warn("store artefacts", "error", flushErr)
	}
	return err
}

// rowLength is the most tokens of a row.
func (r *run) rowLength() int { return RowLength(r.job.ContextLength, r.job.Train) }

// examples shifts rendered rows for next-token prediction, and cuts documents that are longer
// than a row.
func (r *run) examples(rendered []chattemplate.Example) []train.Example {
	out := make([]train.Example, len(rendered))
	for i, e := range rendered {
		out[i].Tokens, out[i].Targets = e.Shift(model.Ignore)
	}
	out = split(out, r.rowLength())
	for _, e := range out {
		r.longestRow = max(r.longestRow, len(e.Tokens))
	}
	return out
}

func tokensOf(examples []train.Example) (n int64) {
	for _, e := range examples {
		n += int64(len(e.Tokens))
	}
	return n
}
