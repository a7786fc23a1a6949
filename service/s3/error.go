package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/wire/restxml"
)

// The texts are S3's own.
var (
	errAccessDenied = apiError("AccessDenied", http.StatusForbidden, "Access Denied.")
	errMalformedXML = apiError("MalformedXML", http.StatusBadRequest,
		"The XML you provided was not well-formed or did not validate against our published schema.")
	errPrecondition = apiError("PreconditionFailed", http.StatusPreconditionFailed,
		"At least one of the pre-conditions you specified did not hold.")
	errNotModified   = apiError("NotModified", http.StatusNotModified, "Not Modified")
	errInvalidURI    = apiError("InvalidURI", http.StatusBadRequest, "Couldn't parse the specified URI.")
	errMissingLength = apiError("MissingContentLength", http.StatusLengthRequired, "You must provide the Content-Length HTTP header.")
	errIncomplete    = apiError("IncompleteBody", http.StatusBadRequest, "You did not provide the number of bytes specified by the Content-Length HTTP header")
	errTooLong       = apiError("MaxMessageLengthExceeded", http.StatusBadRequest, "Your request was too big.")
	errMissingBody   = apiError("MissingRequestBodyError", http.StatusBadRequest, "Request Body is empty")
	errNoACL         = apiError("AccessControlListNotSupported", http.StatusBadRequest, "The bucket does not allow ACLs.")
)

func apiError(code string, status int, message string, extra ...[2]string) *restxml.Error {
	return &restxml.Error{Code: code, Status: status, Message: message, Extra: extra}
}

func errInvalidRequest(message string) error {
	return apiError("InvalidRequest", http.StatusBadRequest, message)
}

func errInvalidArgument(name, value, message string) error {
	return apiError("InvalidArgument", http.StatusBadRequest, message, [2]string{"ArgumentName", name}, [2]string{"ArgumentValue", value})
}

func errNotImplemented(message string) error {
	return apiError("NotImplemented", http.StatusNotImplemented, message)
}

func errMethodNotAllowed(method, kind string) error {
	return apiError("MethodNotAllowed", http.StatusMethodNotAllowed, "The specified method is not allowed against this resource.",
		[2]string{"Method", method}, [2]string{"ResourceType", kind})
}

func errNoSuchBucket(name string) error {
	return apiError("NoSuchBucket", http.StatusNotFound, "The specified bucket does not exist.", [2]string{"BucketName", name})
}

func errNoSuchKey(key string) error {
	return apiError("NoSuchKey", http.StatusNotFound, "The specified key does not exist.", [2]string{"Key", key})
}

func errKeyTooLong(n int) error {
	return apiError("KeyTooLongError", http.StatusBadRequest, "Your key is too long.",
		[2]string{"Size", fmt.Sprint(n)}, [2]string{"MaxSizeAllowed", fmt.Sprint(keyMax)})
}

func errNoSuchUpload(id string) error {
	return apiError("NoSuchUpload", http.StatusNotFound, "The specified multipart upload does not exist. The upload ID may be invalid, "+
		"or the upload may have been aborted or completed.", [2]string{"UploadId", id})
}

func errTooLarge(size, max int64) error {
	return apiError("EntityTooLarge", http.StatusBadRequest, "Your proposed upload exceeds the maximum allowed object size.",
		[2]string{"ProposedSize", fmt.Sprint(size)}, [2]string{"MaxSizeAllowed", fmt.Sprint(max)})
}

func errPart(id string, p *blob.PartError) error {
	if p.Min > 0 {
		return apiError("EntityTooSmall", http.StatusBadRequest, "Your proposed upload is smaller than the minimum allowed size",
			[2]string{"ProposedSize", fmt.Sprint(p.Size)}, [2]string{"MinSizeAllowed", fmt.Sprint(p.Min)},
			[2]string{"PartNumber", fmt.Sprint(p.Number)}, [2]string{"ETag", p.ETag})
	}
	return apiError("InvalidPart", http.StatusBadRequest, "One or more of the specified parts could not be found.  The part may not have "+
		"been uploaded, or the specified entity tag may not match the part's entity tag.",
		[2]string{"UploadId", id}, [2]string{"PartNumber", fmt.Sprint(p.Number)}, [2]string{"ETag", p.ETag})
}

// named is an error that knows what S3 calls it: those of a body that is not what was signed.
type named interface {
	error
	S3() (code string, status int)
	S3Details() [][2]string
}

// fail answers with err. What is none of S3's errors is our fault and logged.
func (c *call) fail(err error) {
	e := c.explain(err)
	if e.Status >= http.StatusInternalServerError && e.Status != http.StatusNotImplemented {
		c.opt.Log.Error("S3 request failed", "method", c.r.Method, "bucket", c.bucket, "key", c.key,
			"request", c.w.Header().Get(restxml.RequestIDHeader), "error", err)
	}
	c.drain()
	restxml.WriteError(c.w, c.r, e)
}

// drain reads the rest of a body. Expect: 100-continue is no reason not to: the SDK for Go
// sends it and does not wait.
func (c *call) drain() {
	switch {
	case c.r.Body == nil:
	case c.r.ContentLength <= drainMax:
		_, _ = io.Copy(io.Discard, io.LimitReader(c.r.Body, drainMax)) // its error is not the answer
	case c.r.ProtoMajor == 1:
		c.w.Header().Set("Connection", "close") // says: do not send it
	}
}

func (c *call) explain(err error) *restxml.Error {
	var (
		api  *restxml.Error
		body named
		part *blob.PartError
		told *outcrop.Error
		full *blob.SpaceError
	)
	switch {
	case errors.As(err, &api):
		return api
	case errors.As(err, &body):
		code, status := body.S3()
		return apiError(code, status, body.Error(), body.S3Details()...)
	case errors.As(err, &told) && told.Code == outcrop.CodeAccessDenied: // of whoever decides who may what
		return apiError(errAccessDenied.Code, errAccessDenied.Status, told.Msg)
	case errors.As(err, &full):
		return apiError("InsufficientStorage", http.StatusInsufficientStorage, full.Says)
	case errors.As(err, &part):
		return c.explain(errPart(c.query.Get("uploadId"), part))
	}
	for _, known := range []struct {
		is error
		as error
	}{
		{blob.ErrNoSuchBucket, errNoSuchBucket(c.bucket)},
		{blob.ErrNoSuchKey, errNoSuchKey(c.key)},
		{blob.ErrNoSuchUpload, errNoSuchUpload(c.query.Get("uploadId"))},
		{blob.ErrBucketNotEmpty, apiError("BucketNotEmpty", http.StatusConflict, "The bucket you tried to delete is not empty.", [2]string{"BucketName", c.bucket})},
		{blob.ErrPrecondition, errPrecondition},
		{blob.ErrPartOrder, apiError("InvalidPartOrder", http.StatusBadRequest, "The list of parts was not in ascending order. Parts must be ordered by part number.", [2]string{"UploadId", c.query.Get("uploadId")})},
		{blob.ErrNoParts, errMalformedXML},
		{blob.ErrNoSpace, apiError("InsufficientStorage", http.StatusInsufficientStorage, "The disk is full. Free some space on the machine that runs Outcrop.")},
		{blob.ErrBusy, apiError("ServiceUnavailable", http.StatusServiceUnavailable, "Another program on the server's machine has the index of the objects locked. Try again; if it goes on, end that program.")},
		{blob.ErrDamaged, apiError("InternalError", http.StatusInternalServerError, "The object is damaged: "+err.Error()+".")},
		{io.ErrUnexpectedEOF, errIncomplete},
		{context.Canceled, apiError("RequestTimeout", http.StatusBadRequest, "The request was cancelled.")},
	} {
		if errors.Is(err, known.is) {
			errors.As(known.as, &api)
			return api
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLong
	}
	if c.ctx.Err() != nil { // the client is gone: its body ended in some way
		return apiError("RequestTimeout", http.StatusBadRequest, "Your socket connection to the server was not read from or written to within the timeout period.")
	}
	return apiError("InternalError", http.StatusInternalServerError, "We encountered an internal error. Please try again.")
}
