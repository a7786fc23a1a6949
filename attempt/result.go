package attempt

import (
	"context"
	"errors"

	"outcrop.dev/outcrop"
)

// ErrFenced is what a worker gets when another attempt has taken its job over, or when the
// job has ended without it.
var ErrFenced = &outcrop.Error{Code: outcrop.CodeConflict, Msg: "Another attempt has taken this job over."}

// Result is how an attempt ended. ExitCode is one of the root package's: with ExitDone
// there is a sealed model in the scratch directory, with any other there is none.
type Result struct {
	Attempt  int
	ExitCode int
	Message  string           // for a person; "" if done or stopped
	Manifest string           // SHA-256 of the model's manifest.json, in hex, if done
	Progress outcrop.Progress // where it ended, with the final losses
}

// messageBytesMax bounds a failure's message: Bedrock's failureMessage has 2,048
// characters, part of which the server adds.
const messageBytesMax = 1024

// ResultOf returns the result of attempt number that ended with err at p; nil is ExitDone.
func ResultOf(number int, p outcrop.Progress, err error) Result {
	r := Result{Attempt: number, ExitCode: ExitCode(err), Progress: finite(p)}
	if err != nil && r.ExitCode != ExitStopped {
		r.Message = clip(message(err), messageBytesMax)
	}
	return r
}

// ExitCode returns the exit code of a worker that ended with err: err's own, if something
// in its chain has an ExitCode method; what an *outcrop.Error's code means; or ExitSoftware.
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

// message prefers the sentence that was written for a person.
func message(err error) string {
	var e *outcrop.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return err.Error()
}

// clip shortens s to at most n bytes, at a character's boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const dots = "…"
	n -= len(dots)
	for n > 0 && s[n]&0xC0 == 0x80 { // the middle of a UTF-8 sequence
		n--
	}
	return s[:n] + dots
}
