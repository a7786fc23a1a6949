// Package datacheck reads training data and says what is in them and what is wrong: every
// row, measured in a model's own tokens. It is the same code for "outcrop data check", for
// CreateModelCustomizationJob and for the worker. It knows neither jobs nor where files lie.
//
//	report, err := (&datacheck.Checker{}).Check(ctx, modelDir, 4096, train, validation)
//	err = report.Err()   // every mistake in the data, or nil
//
// A file goes through three hands: scan reads and renders rows in parallel, fileCheck counts
// what they hold and compares them with each other, and Report says it to a person.
package datacheck
