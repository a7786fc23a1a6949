package restjson

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"syscall"

	"outcrop.dev/outcrop"
)

// CodeSerialization reports a body that is not JSON or has a member of the wrong type. No
// service model lists it; every AWS service answers it.
const CodeSerialization outcrop.Code = "SerializationException"

// statuses holds the HTTP status of each exception (service models of bedrock 2023-04-20
// and bedrock-runtime 2023-09-30). The second group are AWS's common errors.
var statuses = map[outcrop.Code]int{
	outcrop.CodeValidation:         http.StatusBadRequest,
	outcrop.CodeNotFound:           http.StatusNotFound,
	outcrop.CodeConflict:           http.StatusBadRequest, // 400, not 409
	outcrop.CodeAccessDenied:       http.StatusForbidden,
	outcrop.CodeThrottling:         http.StatusTooManyRequests,
	outcrop.CodeQuotaExceeded:      http.StatusBadRequest,
	outcrop.CodeTooManyTags:        http.StatusBadRequest,
	outcrop.CodeInternal:           http.StatusInternalServerError,
	outcrop.CodeServiceUnavailable: http.StatusServiceUnavailable,
	outcrop.CodeModelNotReady:      http.StatusTooManyRequests,
	outcrop.CodeModelTimeout:       http.StatusRequestTimeout,
	outcrop.CodeModelError:         http.StatusFailedDependency,
	"ModelStreamErrorException":    http.StatusFailedDependency,
	"ResourceInUseException":       http.StatusBadRequest,
	outcrop.CodeUnknownOperation:   http.StatusNotFound,
	CodeSerialization:              http.StatusBadRequest,

	"IncompleteSignatureException":        http.StatusBadRequest,
	"RequestEntityTooLargeException":      http.StatusRequestEntityTooLarge,
	"InvalidSignatureException":           http.StatusForbidden,
	"UnrecognizedClientException":         http.StatusForbidden,
	"InvalidClientTokenId":                http.StatusForbidden,
	"MissingAuthenticationToken":          http.StatusForbidden,
	"MissingAuthenticationTokenException": http.StatusForbidden,
	"ExpiredTokenException":               http.StatusForbidden,
}

// Status returns the HTTP status of an exception; 400 for one that it does not know.
func Status(code outcrop.Code) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusBadRequest
}

// StatusClientGone is the status of a request whose caller did not wait for the answer, for
// logs and metrics: nobody sees it. nginx made the number known.
const StatusClientGone = 499

// WriteError answers a request with err as the AWS SDKs expect it: the code in the header
// x-amzn-ErrorType, the message in the body; a Reason goes into a header of our own. An error that is not an *outcrop.Error, or is
// CodeInternal without a Reason, is our own fault: its text stays in the log, and the caller gets the request
// id to ask with. That the disk is full is nobody's fault, whoever found it.
func WriteError(ctx context.Context, log *slog.Logger, w http.ResponseWriter, err error) {
	var stopping *outcrop.Error // what the server says that ends the request
	if gone(ctx, err) && errors.As(context.Cause(ctx), &stopping) {
		err = stopping
	} else if gone(ctx, err) {
		log.DebugContext(ctx, "the caller has gone", "requestID", w.Header().Get(RequestIDHeader), "err", err)
		w.WriteHeader(StatusClientGone)
		return
	}
	if outcrop.CodeOf(err) == outcrop.CodeInternal && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) {
		err = &outcrop.Error{Code: errFull.Code, Msg: errFull.Msg, Err: err}
	}
	code, msg := outcrop.CodeOf(err), explain(ctx, log, w.Header().Get(RequestIDHeader), err)
	body, _ := json.Marshal(map[string]string{"message": msg}) // strings always marshal
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amzn-ErrorType", string(code))
	if reason := outcrop.ReasonOf(err); reason != "" && code != outcrop.CodeInternal {
		h.Set(HeaderReason, string(reason))
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(Status(code))
	_, _ = w.Write(body) // the caller has gone; there is nobody to tell
}

// errFull is for what does not say itself how full the disk is.
var errFull = outcrop.Errorf(outcrop.CodeServiceUnavailable, "The server's disk is full. Delete objects or models, or free space on the machine that runs Outcrop, and try again.")

// explain returns what the caller reads of err, and logs what nobody else does.
func explain(ctx context.Context, log *slog.Logger, id string, err error) string {
	var e *outcrop.Error
	known := errors.As(err, &e)
	switch {
	case !known || e.Code == outcrop.CodeInternal:
		logInternal(ctx, log, id, err)
		if known && e.Reason == outcrop.ReasonUnreadable {
			return e.Msg
		}
		return fmt.Sprintf("An internal error occurred; the server's log tells more under request id %s.", id)
	case e.Code == outcrop.CodeServiceUnavailable && e.Err != nil:
		log.WarnContext(ctx, "not served", "requestID", id, "error", err)
	}
	return e.Msg
}

// gone reports that err says no more than that the caller has gone.
func gone(ctx context.Context, err error) bool { return ctx.Err() != nil && errors.Is(err, ctx.Err()) }

// logInternal logs our own fault, unless it is only that the caller has gone.
func logInternal(ctx context.Context, log *slog.Logger, id string, err error) {
	if gone(ctx, err) {
		log.DebugContext(ctx, "the caller has gone", "requestID", id, "err", err)
		return
	}
	log.ErrorContext(ctx, "internal error", "requestID", id, "err", err)
}
