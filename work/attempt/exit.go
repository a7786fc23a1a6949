package attempt

import (
	"context"
	"errors"

	"outcrop.dev/outcrop"
)

// Exit codes of a worker, by which the server decides what to do next (sysexits.h where one
// fits).
const (
	ExitDone        = 0
	ExitStopped     = 64 // asked to stop
	ExitBadData     = 65
	ExitNoInput     = 66 // a file that the job names is missing
	ExitSoftware    = 70 // unexpected: retry from the last checkpoint
	ExitOutOfMemory = 71
	ExitTemporary   = 75 // retry
	ExitDiverged    = 76 // NaN or Inf
	ExitFenced      = 77 // another attempt has taken over
	ExitConfig      = 78
	ExitDeadline    = 124
)

// ExitCode returns the exit code of a worker that ended with err: err's own, if something
// in its chain has an ExitCode method; what an *outcrop.Error's reason or code means; or ExitSoftware.
func ExitCode(err error) int {
	var own interface{ ExitCode() int }
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, ErrFenced):
		return ExitFenced
	case errors.As(err, &own):
		return own.ExitCode()
	case errors.Is(err, context.Canceled):
		return ExitTemporary // told to end by a signal
	}
	switch outcrop.ReasonOf(err) {
	case outcrop.ReasonNoInput, outcrop.ReasonNoOutput:
		return ExitNoInput
	}
	switch outcrop.CodeOf(err) {
	case outcrop.CodeValidation:
		return ExitBadData
	case outcrop.CodeNotFound, outcrop.CodeAccessDenied:
		return ExitNoInput
	case outcrop.CodeServiceUnavailable:
		return ExitTemporary
	case outcrop.CodeModelError:
		return ExitConfig
	}
	return ExitSoftware
}
