package bedrockruntime

import (
	"context"
	"errors"
	"fmt"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/wire/eventstream"
	"outcrop.dev/outcrop/wire/restjson"
)

// invokeExceptions names the exceptions that InvokeModelWithResponseStream's stream may
// carry, in the service model's lower camel case; converseExceptions those of
// ConverseStream's. Any other becomes modelStreamErrorException.
var (
	invokeExceptions = map[outcrop.Code]string{
		outcrop.CodeInternal:           "internalServerException",
		outcrop.CodeValidation:         "validationException",
		outcrop.CodeThrottling:         "throttlingException",
		outcrop.CodeModelTimeout:       "modelTimeoutException",
		outcrop.CodeServiceUnavailable: "serviceUnavailableException",
	}
	converseExceptions = map[outcrop.Code]string{
		outcrop.CodeInternal:           "internalServerException",
		outcrop.CodeValidation:         "validationException",
		outcrop.CodeThrottling:         "throttlingException",
		outcrop.CodeServiceUnavailable: "serviceUnavailableException",
	}
)

// endStream tells the client of err. Before the first frame that is an ordinary answer,
// which the caller makes of the returned error; later it is an exception in the stream, and
// what is returned is only for the log.
func endStream(ctx context.Context, w *eventstream.Writer, err error, names map[outcrop.Code]string) error {
	var stopping *outcrop.Error // what the server says that ends the request
	switch {
	case err == nil || !w.Started():
		return err
	case errors.As(context.Cause(ctx), &stopping):
		err = stopping
	case ctx.Err() != nil: // a frame could not be written, say: with the caller gone that is no fault of ours
		return errors.Join(ctx.Err(), err)
	}
	code := outcrop.CodeOf(err)
	name, ok := names[code]
	if !ok {
		name = "modelStreamErrorException"
	}
	var e *outcrop.Error
	if code != outcrop.CodeInternal && errors.As(err, &e) {
		return w.Exception(name, e.Msg)
	}
	msg := fmt.Sprintf("An internal error occurred; the server's log tells more under request id %s.", restjson.RequestID(ctx))
	return errors.Join(err, w.Exception(name, msg))
}
