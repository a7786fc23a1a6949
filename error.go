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
	// Reason is for programs: what a Code leaves open and only Msg says. "" if nobody asks.
	Reason Reason
	Op     string // what was being done, for the log; may be empty
	Msg    string
	Err    error
}

// Reason tells errors of one Code apart, so that nobody has to read a Msg for it. It travels
// with the error, in a header and in the result of an attempt. A server or a worker of an earlier
// version sends none, and then nothing but Code and Msg is known.
type Reason string

// The reasons that somebody acts on.
const (
	ReasonBadData   Reason = "BadData"  // rows of the data cannot be trained on
	ReasonNoInput   Reason = "NoInput"  // an object with the job's data cannot be read
	ReasonNoOutput  Reason = "NoOutput" // the job's output bucket cannot be written
	ReasonDiskFull  Reason = "DiskFull" // these are of the machine that a worker runs on
	ReasonDiskQuota Reason = "DiskQuota"
	ReasonReadOnly  Reason = "ReadOnly"
	ReasonDenied    Reason = "Denied" // by the file system
	ReasonDiskFault Reason = "DiskFault"
	ReasonNoMemory  Reason = "NoMemory"
	// ReasonUnreadable is of a record that the disk, or somebody else, has damaged.
	ReasonUnreadable Reason = "Unreadable"
)

// ReasonOf returns the first Reason in err's chain, and "" if there is none.
func ReasonOf(err error) Reason {
	var e *Error
	for errors.As(err, &e) {
		if e.Reason != "" {
			return e.Reason
		}
		err = e.Err
	}
	return ""
}

// Errorf returns an *Error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// ErrUnreadable says that a record is damaged: who asked for it is told, and lists leave it out. cause
// is what was found.
func ErrUnreadable(arn ARN, cause error) *Error {
	return &Error{Code: CodeInternal, Reason: ReasonUnreadable, Err: cause,
		Msg: fmt.Sprintf("The record of %s cannot be read: it is damaged in the server's database. It can be deleted, or restored from a backup.", arn)}
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
