// Package tune is what a customization job does: it checks the data, trains, evaluates,
// and writes the artefacts. Everything it reads and writes goes through the attempt that
// it works for; it knows no HTTP, no S3 and no database.
//
//	report, err := (&tune.Checker{}).Check(ctx, modelDir, 4096, train, validation)
//	err = report.Err()   // every mistake in the data, or nil
//
//	progress, err := tune.Run(ctx, attempt, job, options)
package tune
