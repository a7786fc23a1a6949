package attempt

import (
	"errors"

	"outcrop.dev/outcrop"
)

// ErrFenced is what a worker gets when another attempt has taken its job over, or when the
// job has ended without it.
var ErrFenced = &outcrop.Error{Code: outcrop.CodeConflict, Msg: "Another attempt has taken this job over."}

// Result is how an attempt ended. ExitCode is one of the Exit constants: with ExitDone
// there is a sealed model in the scratch directory, with any other there is none.
type Result struct {
	Attempt  int
	ExitCode int
	Message  string           // for a person; "" if done or stopped
	Reason   outcrop.Reason   `json:",omitempty"` // what Message says, for programs; "" if it is no known one, or from an earlier version
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
		r.Message, r.Reason = clip(message(err), messageBytesMax), ReasonOf(err)
	}
	return r
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

// ErrBaseReplaced ends an attempt whose base model is another one by now; the next attempt begins
// again with that.
var ErrBaseReplaced = &outcrop.Error{Code: outcrop.CodeServiceUnavailable, Msg: "The base model was replaced while the attempt ran."}
