package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"outcrop.dev/outcrop"
)

// The exit codes, which scripts rely on; rootLong's help lists them.
const (
	exitOK        = 0
	exitFailure   = 1
	exitUsage     = 2
	exitBadData   = 3
	exitJobFailed = 4
)

// exitError carries an exit code. With an empty text, what there was to say has been said.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, text: fmt.Sprintf(format, args...)}
}

// exitWith ends the command with a code and prints nothing more.
func exitWith(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

func exitCode(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		return e.code
	}
	return exitFailure
}

// explain turns an error into the sentence that a person reads. Errors of the API and of
// the other rooms carry such a sentence already, under layers that say little.
func explain(err error) string {
	var mine *exitError
	var ours *outcrop.Error
	var api smithy.APIError
	switch {
	case errors.As(err, &mine):
		return mine.text
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &ours):
		return ours.Msg
	case errors.As(err, &api):
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return err.Error()
}
