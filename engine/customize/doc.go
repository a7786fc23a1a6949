// Package customize is what a customization job does: it checks the data, trains, evaluates,
// and writes the artefacts. Everything it reads and writes goes through the attempt that
// it works for; it knows no HTTP, no S3 and no database.
//
//	progress, err := customize.Run(ctx, client, spec, options)
//
// A run reads from the top down: run.go has the phases, data.go the data, base.go, merge.go
// and prepare.go the model, plan.go what it trains with, loop.go, evaluate.go, select.go and
// keep.go the training, finish.go and artefact.go the publication. All of them share the run
// of state.go.
package customize
