package outcrop

import (
	"errors"
	"fmt"
)

// Code classifies an Error. Its values are the AWS exception names, so that the edge
// translates nothing; wire packages add the HTTP status.
type Code string

// The exception names shared by Bedrock and Bedrock Runtime (service models, 2023-04-20).
const (
	CodeValidation         Code = "ValidationException"
	CodeNotFound           Code = "ResourceNotFoundException"
	CodeConflict           Code = "ConflictException"
	CodeAccessDenied       Code = "AccessDeniedException"
	CodeThrottling         Code = "ThrottlingException"
	CodeQuotaExceeded      Code = "ServiceQuotaExceededException"
	CodeTooManyTags        Code = "TooManyTagsException"
	CodeInternal           Code = "InternalServerException"
	CodeServiceUnavailable Code = "ServiceUnavailableException"
	CodeModelNotReady      Code = "ModelNotReadyException"
	CodeModelTimeout       Code = "ModelTimeoutException"
	CodeModelError         Code = "ModelErrorException"
	CodeUnknownOperation   Code = "UnknownOperationException"
)

// Error is an error that a user sees. Msg is a sentence for a person: what is wrong,
// where, and what to do. Err, if any, is the cause, for the log only.
//
// Any error that is not an *Error is our own fault: the edge answers CodeInternal with a
// request id and logs it once.
type Error struct {
	Code Code
	Op   string // what was being done, for the log; may be empty
	Msg  string
	Err  error
}

// Errorf returns an *Error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// Error returns the code and the message, and the cause when there is one.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Msg
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's chain, CodeInternal for any other
// error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
